"""Load plain data from a pickle without running anything of it, within limits of steps, size and depth.

A pickle is a program; it may call whatever it can name. Here it can name only what numpy's arrays are rebuilt with, and
even that is replaced: numpy's own functions would trust sizes and flags of the file. Keys and elements of sets must be
plain values, since comparing nested containers that share parts takes exponential time.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.text import clean_text

_KINDS = "biuf"
_MAX_FILE_BYTES = 1 << 28
"""256 MB: the labels of a hundred thousand slices take less than a tenth of it."""
_MAX_STEPS = 2_000_000
"""Operations of a pickle; a case of the authors' layout has about a hundred."""
_MAX_VALUES = 5_000_000
"""Values in all containers together, counted as often as they are used."""
_MAX_LEVELS = 20
_MAX_TEXT = 10_000
"""Characters of a text that is turned into a number."""
_BYTE_ORDERS: dict[Any, Literal["<", ">", "=", "|"]] = {"<": "<", ">": ">", "=": "=", "|": "|"}
_PLAIN_KEYS = (str, bytes, int, float, bool, type(None))


_Operation = Callable[[pickle.Unpickler], None]


class _Refused(Exception):
    """The file asks for something that plain data does not need."""


class _Type:
    """Stands for ``numpy.dtype``: real numbers only."""

    def __init__(self, name: str, *_flags: Any):
        if not isinstance(name, str) or name[:1] not in _KINDS or not name[1:].isdigit():
            raise _Refused(f"an array of type {name!r}")
        self.name = name
        self.order: Literal["<", ">", "=", "|"] = "="

    def __setstate__(self, state: tuple) -> None:
        order, rest = _BYTE_ORDERS.get(state[1]), state[2:5]
        if order is None or any(part is not None for part in rest):
            raise _Refused("an array of a compound type")
        self.order = order

    def numbers(self, data: bytes | bytearray | str, shape: tuple, order: Literal["C", "F"] = "C") -> np.ndarray:
        if isinstance(data, str):  # written by Python 2
            data = data.encode("latin-1")
        dtype = np.dtype(self.name).newbyteorder(self.order)
        if not isinstance(data, bytes | bytearray) or not isinstance(shape, tuple) or order not in ("C", "F"):
            raise _Refused("an array of another layout")
        if not all(isinstance(length, int) and 0 <= length <= len(data) for length in shape):
            raise ValueError("an array of an impossible shape")
        return np.frombuffer(bytes(data), dtype).reshape(shape, order=order).astype(dtype.newbyteorder("="))


class _Array:
    """Stands for a ``numpy.ndarray`` until its contents have come."""

    value: np.ndarray | None = None

    def __setstate__(self, state: tuple) -> None:
        _version, shape, dtype, by_columns, data = state
        if not isinstance(dtype, _Type) or not isinstance(data, (bytes, bytearray, str)):
            raise _Refused("an array of objects")
        self.value = dtype.numbers(data, shape, "F" if by_columns else "C")


def _from_buffer(data: Any, dtype: _Type, shape: tuple, order: Literal["C", "F"] = "C") -> _Array:
    array = _Array()
    array.value = dtype.numbers(data, shape, order)
    return array


def _latin(text: str, encoding: str) -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise _Refused(f"text in {encoding}")
    return text.encode("latin-1")


_NAMES: dict[tuple[str, str], Callable] = {
    ("numpy", "dtype"): _Type,
    ("numpy", "ndarray"): _Array,
    ("_codecs", "encode"): _latin,
    ("collections", "OrderedDict"): dict,
}


def _constructor(kind: type) -> Callable:
    """Return ``kind`` with arguments of a kind whose conversion takes linear time."""

    def make(*arguments: Any) -> Any:
        if kind in (list, tuple, dict, set):
            if not all(isinstance(one, list | tuple | dict | set) for one in arguments):
                raise _Refused(f"a {kind.__name__} of something else")
            if kind is set:
                _require_plain(*arguments)
            if kind is dict:
                _require_plain(
                    *(pair[:1] if isinstance(pair, list | tuple) else [pair] for one in arguments for pair in one)
                )
        elif not all(isinstance(one, _PLAIN_KEYS) and len(str(one)) < _MAX_TEXT for one in arguments):
            raise _Refused(f"a {kind.__name__} of something else")
        return kind(*arguments)

    return make


def _require_plain(*containers: Any) -> None:
    """Refuse keys that are not plain values."""
    for container in containers:
        for key in container:
            if not isinstance(key, _PLAIN_KEYS):
                raise _Refused("a key that is no plain value")


for _kind in (dict, list, tuple, set, int, float, bool, str):
    _NAMES["builtins", _kind.__name__] = _constructor(_kind)
_NAMES["collections", "OrderedDict"] = _constructor(dict)
for _core in ("numpy.core", "numpy._core"):
    _NAMES[f"{_core}.multiarray", "_reconstruct"] = lambda _class, _shape, _type: _Array()
    _NAMES[f"{_core}.multiarray", "scalar"] = lambda dtype, data: dtype.numbers(data, ()).item()
    _NAMES[f"{_core}.numeric", "_frombuffer"] = _from_buffer


class _Unpickler(pickle._Unpickler):
    """Python's own unpickler in Python: each operation is counted, and none allocates what the file claims."""

    # what Python's own has and its stubs leave out
    stack: list[Any]
    append: Callable[[Any], None]
    read: Callable[[int], bytes]

    def __init__(self, content: bytes):
        super().__init__(BytesIO(content), encoding="latin1")
        self.size, self.steps = len(content), 0

    def find_class(self, module: str, name: str) -> Any:
        found = _NAMES.get((module, name))
        if found is None:
            raise _Refused(f"{module}.{name}")
        return found

    def persistent_load(self, pid: Any) -> Any:
        raise _Refused("objects outside the file")

    def get_extension(self, code: int) -> None:
        raise _Refused("an extension")


def _ours(unpickler: object) -> _Unpickler:
    """Return the unpickler that an operation is called on. Python's own has no such operations."""
    if not isinstance(unpickler, _Unpickler):
        raise TypeError(f"{type(unpickler).__name__} does not count its operations")
    return unpickler


def _counted(operation: _Operation) -> _Operation:
    def run(unpickler: pickle.Unpickler) -> None:
        self = _ours(unpickler)
        self.steps += 1
        if self.steps > _MAX_STEPS:
            raise _Refused(f"more than {_MAX_STEPS} steps")
        operation(unpickler)

    return run


def _with_plain_keys(operation: _Operation, keys: Callable[[_Unpickler], Any]) -> _Operation:
    def run(unpickler: pickle.Unpickler) -> None:
        _require_plain(keys(_ours(unpickler)))
        operation(unpickler)

    return run


def _refused_operation(name: str) -> _Operation:
    def run(_: pickle.Unpickler) -> None:
        raise _Refused(f"the operation {name}")

    return run


def _load_bytearray(unpickler: pickle.Unpickler) -> None:
    self = _ours(unpickler)
    (length,) = struct.unpack("<Q", self.read(8))
    if length > self.size:
        raise ValueError("more bytes than the file has")
    self.append(bytearray(self.read(length)))


def _load_state(unpickler: pickle.Unpickler) -> None:
    if not isinstance(_ours(unpickler).stack[-2], _Type | _Array):
        raise _Refused("an object with a state")
    pickle._Unpickler.dispatch[pickle.BUILD[0]](unpickler)


_REFUSED_OPERATIONS = (
    "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "READONLY_BUFFER",
)  # fmt: skip
_KEYS: dict[str, Callable[[_Unpickler], Any]] = {
    "SETITEM": lambda self: self.stack[-2:-1],
    "SETITEMS": lambda self: self.stack[::2],
    "DICT": lambda self: self.stack[::2],
    "ADDITEMS": lambda self: self.stack,
    "FROZENSET": lambda self: self.stack,
}


def _operations() -> dict[int, _Operation]:
    table: dict[int, _Operation] = dict(pickle._Unpickler.dispatch)
    table[pickle.BYTEARRAY8[0]], table[pickle.BUILD[0]] = _load_bytearray, _load_state
    table = {code: _counted(operation) for code, operation in table.items()}
    for name in _REFUSED_OPERATIONS:
        code = getattr(pickle, name)[0]
        table[code] = _refused_operation(name)
    for name, keys in _KEYS.items():
        code = getattr(pickle, name)[0]
        table[code] = _with_plain_keys(table[code], keys)
    return table


_Unpickler.dispatch = _operations()


def load_plain(path: Path) -> Any:
    """Load a pickle made of dicts, lists, numbers, texts and numeric arrays.

    Raises:
        InputError: no such file, damaged, too large, or it names anything else (refused before it is called).
    """
    try:
        size = path.stat().st_size
        if not path.is_file() or size > _MAX_FILE_BYTES:
            raise InputError(f"{path} has {size >> 20} MB; a table of labels is never that large.", "pickle")
        return _plain(_Unpickler(path.read_bytes()).load())
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check the path.", "no-file") from None
    except _Refused as refused:
        raise InputError(
            f"{path} was refused, since it is more than a table of labels: it asks for {clean_text(refused, 200)}; save "
            "it with dicts, lists, numbers and numeric numpy arrays only.",
            "unsafe-pickle",
        ) from None
    except InputError:
        raise
    except Exception as error:  # a damaged pickle may raise anything
        why = clean_text(f"{type(error).__name__}: {error}", 200)
        raise InputError(f"{path} is damaged or not a pickle ({why}).", "pickle") from None


def _plain(value: Any) -> Any:
    """Return the value with the replacements exchanged for the arrays they stand for."""
    count = 0

    def plain(value: Any, level: int) -> Any:
        nonlocal count
        count += 1
        if count > _MAX_VALUES or level > _MAX_LEVELS:
            raise _Refused("too many nested values")
        if isinstance(value, _Array):
            if value.value is None:
                raise _Refused("an array without contents")
            return value.value
        if isinstance(value, dict):
            return {plain(key, level + 1): plain(one, level + 1) for key, one in value.items()}
        if isinstance(value, list | tuple | set):
            return type(value)(plain(one, level + 1) for one in value)
        if isinstance(value, _Type) or callable(value):
            raise _Refused("a type")
        return value

    return plain(value, 0)
