"""Change bytes at random: flips, cuts, copies, wrong numbers and wrong words, mostly where headers are."""

from __future__ import annotations

import gzip
import random
import re
import struct

NUMBERS = [0, 1, 2, 3, 4, 5, 7, 8, 127, 128, 255, 256, 1023, 4095, 4097, 32767, 32768, 65535, 65536, 1 << 20, 1 << 24]
NUMBERS += [(1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 40, (1 << 63) - 1]
REALS = [0.0, -0.0, -1.0, 1e-45, 1e-10, 0.5, 1e10, 1e30, 1e38, -1e38, float("inf"), float("-inf"), float("nan")]
WORDS = [
    b"0", b"-1", b"1", b"99", b"65536", b"4294967296", b"99999999999999999999", b"1e308", b"nan", b"inf", b"-0.68",
    b"%n%n%n%n", b"%d.raw 1 29 0", b"../data.raw", b"/etc/passwd", b"LIST", b"LOCAL", b"True", b"False", b"", b"none",
    b"A" * 5000, b"\0", b"\xff\xfe", b"()", b"(1,0,0)", b"gzip", b"ascii", b"text", b"raw", b"bzip2", b"MET_CHAR",
    b"double", b"int8", b"scanner-xyz",
]  # fmt: skip
HEADER_BYTES = 600
"""Where most mutations take place."""


def mutate(content: bytes, chance: random.Random, header_bytes: int = HEADER_BYTES) -> bytes:
    """Return the content with one to six random changes."""
    if content.startswith(b"\x1f\x8b") and chance.random() < 0.5:
        # The content inside, packed again: the check value at the end fits.
        return gzip.compress(mutate(gzip.decompress(content), chance, header_bytes), 1, mtime=0)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        if not content:
            return b""
        content = chance.choice(CHANGES)(content, chance, min(len(content), header_bytes))
    return content


def _place(content: bytes, chance: random.Random, near: int) -> int:
    if chance.random() < 0.1:
        return chance.randrange(max(0, len(content) - 64), len(content))
    return chance.randrange(near) if chance.random() < 0.8 else chance.randrange(len(content))


def _bit(content: bytes, chance: random.Random, near: int) -> bytes:
    place = _place(content, chance, near)
    return content[:place] + bytes([content[place] ^ 1 << chance.randrange(8)]) + content[place + 1 :]


def _byte(content: bytes, chance: random.Random, near: int) -> bytes:
    place = _place(content, chance, near)
    return content[:place] + bytes([chance.choice((0, 1, 127, 128, 255, chance.randrange(256)))]) + content[place + 1 :]


def _integer(content: bytes, chance: random.Random, near: int) -> bytes:
    place, size = _place(content, chance, near), chance.choice((1, 2, 4, 8))
    value = chance.choice(NUMBERS) * chance.choice((1, 1, 1, -1))
    packed = (value % (1 << 8 * size)).to_bytes(size, chance.choice(("little", "little", "big")))
    place -= place % size if chance.random() < 0.7 else 0
    return content[:place] + packed + content[place + size :]


def _real(content: bytes, chance: random.Random, near: int) -> bytes:
    place, form = _place(content, chance, near), chance.choice("fd")
    place -= place % 4
    packed = struct.pack("<" + form, chance.choice(REALS))
    return content[:place] + packed + content[place + len(packed) :]


def _cut(content: bytes, chance: random.Random, near: int) -> bytes:
    return content[: _place(content, chance, near) if chance.random() < 0.5 else chance.randrange(len(content))]


def _remove(content: bytes, chance: random.Random, near: int) -> bytes:
    place = _place(content, chance, near)
    return content[:place] + content[place + chance.choice((1, 2, 4, 16, 256)) :]


def _repeat(content: bytes, chance: random.Random, near: int) -> bytes:
    place, size = _place(content, chance, near), chance.choice((1, 4, 16, 64, 512))
    return content[:place] + content[place : place + size] * chance.choice((2, 3, 50)) + content[place:]


def _zeros(content: bytes, chance: random.Random, near: int) -> bytes:
    place, size = _place(content, chance, near), chance.choice((2, 8, 64, 512))
    return content[:place] + bytes([chance.choice((0, 255))]) * size + content[place + size :]


def _append(content: bytes, chance: random.Random, near: int) -> bytes:
    return content + chance.randbytes(chance.choice((1, 8, 100, 5000)))


def _word(content: bytes, chance: random.Random, near: int) -> bytes:
    words = list(re.finditer(rb"[^\s=:,()]+", content[:near]))
    if not words:
        return _byte(content, chance, near)
    word = chance.choice(words)
    return content[: word.start()] + chance.choice(WORDS) + content[word.end() :]


def _line(content: bytes, chance: random.Random, near: int) -> bytes:
    lines = content[:near].split(b"\n")
    if len(lines) < 3:
        return _repeat(content, chance, near)
    one, two = chance.randrange(len(lines)), chance.randrange(len(lines))
    how = chance.randrange(3)
    if how == 0:
        lines[one], lines[two] = lines[two], lines[one]
    elif how == 1:
        lines.insert(one, lines[two])
    else:
        del lines[one]
    return b"\n".join(lines) + content[near:]


CHANGES = [_bit, _byte, _integer, _integer, _real, _cut, _remove, _repeat, _zeros, _append, _word, _word, _line]
