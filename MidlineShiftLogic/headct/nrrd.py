"""Load NRRD files (attached, or NHDR with a data file beside it), parsed within limits."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from MidlineShiftLogic.headct.canonical import from_volume, spacing_of
from MidlineShiftLogic.headct.stack import AxialStack
from MidlineShiftLogic.headct.stored_values import DamagedFile, Values, load_values
from MidlineShiftLogic.headct.text_header import (
    damaged_file,
    data_offset,
    floats,
    integer,
    integers,
    read_header_bytes,
    require_millimetres,
    require_positive,
    several_values,
    sibling,
    spatial_shape,
)
from MidlineShiftLogic.quality import Quality

TYPES = {
    **dict.fromkeys(("signed char", "int8", "int8_t"), "i1"),
    **dict.fromkeys(("uchar", "unsigned char", "uint8", "uint8_t"), "u1"),
    **dict.fromkeys(("short", "short int", "signed short", "signed short int", "int16", "int16_t"), "i2"),
    **dict.fromkeys(("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"), "u2"),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t"), "i4"),
    **dict.fromkeys(("uint", "unsigned int", "uint32", "uint32_t"), "u4"),
    **dict.fromkeys(("longlong", "long long", "long long int", "signed long long", "int64", "int64_t"), "i8"),
    **dict.fromkeys(("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"), "u8"),
    "float": "f4", "double": "f8",
}  # fmt: skip
COMPRESSIONS = {
    **dict.fromkeys(("raw",), ""),
    **dict.fromkeys(("gzip", "gz"), "data"),
    **dict.fromkeys(("bzip2", "bz2"), "bzip2"),
    **dict.fromkeys(("txt", "text", "ascii"), "text"),
}
TO_LPS = {
    **dict.fromkeys(("left-posterior-superior", "lps"), (1.0, 1.0, 1.0)),
    **dict.fromkeys(("right-anterior-superior", "ras"), (-1.0, -1.0, 1.0)),
    **dict.fromkeys(("left-anterior-superior", "las"), (1.0, -1.0, 1.0)),
}
"""Signs that turn a space's coordinates into LPS."""

ALIASES = {"centers": "centerings", "datafile": "data file", "lineskip": "line skip", "byteskip": "byte skip",
           "axismins": "axis mins", "axismaxs": "axis maxs"}  # fmt: skip


def read_nrrd(path: Path) -> AxialStack:
    """Load the scan of one NRRD file.

    Raises:
        InputError: damaged, data file missing, more than one value a voxel, four-dimensional, or without usable geometry.
    """
    try:
        fields, length = _fields(read_header_bytes(path))
        shape, affine, stated = _geometry(path, fields)
        voxels = load_values(_values(path, fields, length, shape))
    except (OSError, DamagedFile) as error:
        raise damaged_file(path, "NRRD", error) from error
    voxels = voxels.reshape((*shape, 1)[:3], order="F")
    stack = from_volume(voxels, affine, lambda values: values)
    stack.source.update(format="NRRD", stored_shape=list(voxels.shape), stored_spacing_mm=spacing_of(affine))
    if not stated:
        stack.quality.append(
            Quality(
                "no-orientation",
                "warning",
                "The NRRD header does not state how the scan is oriented in the patient (no 'space' field); "
                "left and right follow the usual order of the file and must be checked.",
            )
        )
    return stack


def _fields(head: bytes) -> tuple[dict[str, str], int]:
    """Return the header's fields (names in lower case), and its length in bytes with the empty line at its end."""
    fields: dict[str, str] = {}
    place = head.find(b"\n") + 1
    while True:
        end = head.find(b"\n", place)
        if not place or (end < 0 and place >= len(head) and len(head) < 1 << 16):
            return fields, len(head)  # a detached header needs no empty line
        if end < 0:
            raise DamagedFile("its header has no end")
        line = head[place:end].decode("utf-8", "replace").strip()
        place = end + 1
        if not line:
            return fields, place
        if line.startswith("#") or ":=" in line:
            continue
        name, colon, value = line.partition(":")
        name = ALIASES.get(name.strip().lower(), name.strip().lower())
        if not colon or name in fields:
            raise DamagedFile("its header holds a line without ':' or a field twice")
        fields[name] = value.strip()


def _geometry(path: Path, fields: dict[str, str]) -> tuple[tuple[int, ...], np.ndarray, bool]:
    """Return (sizes of the spatial axes, (4, 4) stored index -> LPS mm, whether the header states the orientation)."""
    dimension = integer(fields.get("dimension", ""), "dimension", 1, 16)
    sizes = integers(fields.get("sizes", ""), "sizes")
    if len(sizes) != dimension:
        raise DamagedFile(f"its header gives {len(sizes)} sizes for {dimension} dimensions")
    vectors = _vectors(fields.get("space directions", ""))
    if vectors and len(vectors) != dimension:
        raise DamagedFile("its header gives no usable space directions")
    spatial = _spatial_axes(path, sizes, vectors)
    require_millimetres(path, _words(fields.get("space units", "")))
    units = _words(fields.get("units", ""))
    if not vectors and len(units) == dimension:
        require_millimetres(path, (units[axis] for axis in spatial))
    shape = spatial_shape(path, [sizes[axis] for axis in spatial])
    count = len(shape)
    affine = np.eye(4)
    if "space dimension" in fields and integer(fields["space dimension"], "space dimension") != 3:
        raise DamagedFile("its space has not three dimensions")
    if vectors:
        for column, axis in enumerate(spatial):
            vector = vectors[axis]
            if vector is None or vector.shape != (3,):
                raise DamagedFile("its header gives no usable space directions")
            affine[:3, column] = vector
        if count == 2:
            normal = np.cross(affine[:3, 0], affine[:3, 1])
            affine[:3, 2] = normal / max(float(np.linalg.norm(normal)), 1e-12)
    elif "spacings" in fields:
        # nan stands for an axis without a spacing, such as one of colours.
        words = fields["spacings"].split()
        if len(words) != dimension:
            raise DamagedFile("its header gives no usable spacings")
        spacing = floats(" ".join(words[axis] for axis in spatial), "spacings", count)
        affine[:count, :count] = np.diag(require_positive(path, spacing))
    origin = _vectors(fields.get("space origin", ""))
    if origin:
        if len(origin) != 1 or origin[0] is None or origin[0].shape != (3,):
            raise DamagedFile("its header gives no usable space origin")
        affine[:3, 3] = origin[0]
    space = fields.get("space", "").lower().removesuffix("-time").removesuffix("t")
    if space in ("right-up", "right-down"):
        space = ""
    if space and space not in TO_LPS and not space.startswith(("scanner-xyz", "3d-")):
        raise DamagedFile("its header names an unknown space")
    affine[:3] *= np.array(TO_LPS.get(space, (1.0, 1.0, 1.0)))[:, None]
    return shape, affine, space in TO_LPS


def _spatial_axes(path: Path, sizes: list[int], vectors: list[np.ndarray | None]) -> list[int]:
    """Return indices of the axes in space; other ones must have length one."""
    axes = list(range(len(sizes)))
    if vectors:
        axes = [axis for axis in axes if vectors[axis] is not None]
    while len(axes) > 3 and sizes[axes[-1]] == 1:
        axes.pop()
    others = [axis for axis in range(len(sizes)) if axis not in axes and sizes[axis] != 1]
    if others:
        raise several_values(path, sizes[others[0]])
    return axes


def _vectors(text: str) -> list[np.ndarray | None]:
    """Parse ``(1,0,0) none (0,0,5)`` into vectors, None for ``none``."""
    if not text:
        return []
    parts = re.findall(r"none|\([^()]*\)", text[:2000])
    if not parts or re.sub(r"none|\([^()]*\)", "", text[:2000]).strip() or len(text) > 2000:
        raise DamagedFile("its header gives no usable vectors")
    return [None if part == "none" else floats(part[1:-1].replace(",", " "), "vectors") for part in parts]


def _words(text: str) -> list[str]:
    """Split ``"mm" "mm" "cm"``, with or without quotes, into its words."""
    return re.findall(r'"[^"]*"|[^\s"]+', text[:2000])


def _values(path: Path, fields: dict[str, str], length: int, shape: tuple[int, ...]) -> Values:
    kind, encoding = fields.get("type", "").lower(), fields.get("encoding", "").lower()
    if kind not in TYPES or encoding not in COMPRESSIONS:
        raise DamagedFile("its header gives no usable type or encoding")
    endian = fields.get("endian", "little").lower()
    if endian not in ("little", "big"):
        raise DamagedFile("its header gives no usable byte order")
    dtype = np.dtype(TYPES[kind]).newbyteorder("<" if endian == "little" else ">")
    detached = "data file" in fields
    file, offset = (sibling(path, fields["data file"]), 0) if detached else (path, length)
    if integer(fields.get("line skip", "0"), "line skip"):
        raise DamagedFile("it skips lines before its data, which is not supported")
    skip = integer(fields.get("byte skip", "0"), "byte skip", -1, 1 << 20)
    if skip and COMPRESSIONS[encoding]:
        raise DamagedFile("it skips bytes of compressed data, which is not supported")
    start = data_offset(file, skip, offset, shape, dtype)
    return Values(file, start, shape, dtype, COMPRESSIONS[encoding])
