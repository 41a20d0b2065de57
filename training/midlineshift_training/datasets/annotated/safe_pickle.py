"""Plain data out of a pickle, of which nothing is ever run.

A pickle is a program; it may call whatever it can name. Here it can name the few things numpy's arrays are rebuilt with,
and even those are stand-ins: numpy's own would take sizes and flags from the file on trust.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from MidlineShiftLogic.errors import InputError

_KINDS = "biuf"
_LARGEST_BYTES = 1 << 30


class _Refused(Exception):
    """The file asks for something that plain data does not need."""


class _Type:
    """Stands for ``numpy.dtype``: real numbers only."""

    def __init__(self, name: str, *_flags: Any):
        if not isinstance(name, str) or name[:1] not in _KINDS or not name[1:].isdigit():
            raise _Refused(f"an array of type {name!r}")
        self.name, self.order = name, "="

    def __setstate__(self, state: tuple) -> None:
        order, rest = state[1], state[2:5]
        if order not in ("<", ">", "=", "|") or any(part is not None for part in rest):
            raise _Refused("an array of a compound type")
        self.order = order

    def numbers(self, data: bytes | str, shape: tuple, order: str = "C") -> np.ndarray:
        if isinstance(data, str):  # written by Python 2
            data = data.encode("latin-1")
        dtype = np.dtype(self.name).newbyteorder(self.order)
        return np.frombuffer(bytes(data), dtype).reshape(shape, order=order).astype(dtype.newbyteorder("="))


class _Array:
    """Stands for a ``numpy.ndarray`` until its contents have come."""

    value: np.ndarray | None = None

    def __setstate__(self, state: tuple) -> None:
        _version, shape, dtype, by_columns, data = state
        if not isinstance(dtype, _Type) or not isinstance(data, (bytes, bytearray, str)):
            raise _Refused("an array of objects")
        self.value = dtype.numbers(data, shape, "F" if by_columns else "C")


def _from_buffer(data: Any, dtype: _Type, shape: tuple, order: str = "C") -> _Array:
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
    **{("builtins", kind.__name__): kind for kind in (dict, list, tuple, set, int, float, bool, str)},
}
for _core in ("numpy.core", "numpy._core"):
    _NAMES[f"{_core}.multiarray", "_reconstruct"] = lambda _class, _shape, _type: _Array()
    _NAMES[f"{_core}.multiarray", "scalar"] = lambda dtype, data: dtype.numbers(data, ()).item()
    _NAMES[f"{_core}.numeric", "_frombuffer"] = _from_buffer


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        found = _NAMES.get((module, name))
        if found is None:
            raise _Refused(f"{module}.{name}")
        return found

    def persistent_load(self, pid: Any) -> Any:
        raise _Refused("objects outside the file")


def load_plain(path: Path) -> Any:
    """Contents of a pickle made of dicts, lists, numbers, texts and numeric arrays.

    Raises:
        InputError: no such file, damaged, too large, or it names anything else (refused before it is called).
    """
    try:
        size = path.stat().st_size
        if size > _LARGEST_BYTES:
            raise InputError(f"{path} is {size >> 20} MB; a table of labels is never that large.", "pickle")
        with path.open("rb") as file:
            return _plain(_Unpickler(file, encoding="latin1").load())
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check the path.", "no-file") from None
    except _Refused as refused:
        raise InputError(
            f"{path} was refused, since it is more than a table of labels: it asks for {refused}; save it with dicts, "
            "lists, numbers and numeric numpy arrays only.",
            "unsafe-pickle",
        ) from None
    except InputError:
        raise
    except Exception as error:  # a damaged pickle may raise anything
        raise InputError(f"{path} is damaged or not a pickle ({type(error).__name__}: {error}).", "pickle") from None


def _plain(value: Any) -> Any:
    """The value with the stand-ins replaced by the arrays they stand for."""
    if isinstance(value, _Array):
        if value.value is None:
            raise _Refused("an array without contents")
        return value.value
    if isinstance(value, dict):
        return {_plain(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set):
        return type(value)(_plain(one) for one in value)
    if isinstance(value, _Type):
        raise _Refused("a type")
    return value
