"""A device that is not the CPU, on machines that have none: tensors that refuse what a GPU's tensors refuse.

::

    with OtherDevice() as device:
        network.to(device)
        network(torch.zeros(1, 2, 64, 64, device=device))

Inside, a tensor moved to ``device`` says that it is there, and every operation on it is done on the CPU. What works on the
CPU and fails on a GPU fails here with a RuntimeError (``.numpy()``: a TypeError or RuntimeError):

- tensors of the two devices meet in one operation, also where one was made without ``device=``;
- ``.numpy()`` without ``.cpu()``;
- random numbers drawn on the device by a generator of the CPU.

As on a GPU, a number (a CPU tensor without dimensions) may take part in element-wise operations, the CPU's indices may
pick from the device's tensor, and ``copy_`` crosses devices.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map

NAME = "otherdevice"
DEVICE = "otherdevice:0"

_CROSSING = {"aten::copy_", "aten::_to_copy"}
"""Operations that read one device and write another."""
_INDEXED_BY_CPU = {"aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_"}


class OtherTensor(torch.Tensor):
    """A tensor that says it is on ``DEVICE``; its values are kept in ``inner``, on the CPU."""

    inner: torch.Tensor

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> OtherTensor:
        return torch.Tensor._make_wrapper_subclass(
            cls,
            inner.shape,
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=torch.device(DEVICE),
            requires_grad=inner.requires_grad,
        )

    def __init__(self, inner: torch.Tensor):
        self.inner = inner

    def __getitem__(self, index: Any) -> torch.Tensor:
        return super().__getitem__(_without_lists(index))

    def __setitem__(self, index: Any, value: Any) -> None:
        super().__setitem__(_without_lists(index), value)

    def tolist(self) -> Any:
        return self.inner.tolist()

    def new_tensor(self, data: Any, dtype: torch.dtype | None = None) -> torch.Tensor:
        return torch.tensor(data, dtype=dtype or self.dtype).to(DEVICE)

    def __repr__(self, **_: Any) -> str:
        return f"OtherTensor({self.inner!r})"

    @classmethod
    def __torch_dispatch__(cls, operation, types, args=(), kwargs=None):
        return _run(operation, args, kwargs or {})


class _Constructors(TorchFunctionMode):
    """``torch.tensor`` and its like with ``device=``: they copy to the device below the reach of a dispatch mode."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function not in (torch.tensor, torch.as_tensor, torch.asarray) or kwargs.get("device") is None:
            return function(*args, **kwargs)
        device = kwargs.pop("device")
        return function(*args, **kwargs).to(device)


class OtherDevice(TorchDispatchMode):
    """Context in which ``DEVICE`` exists; entering gives its ``torch.device``.

    Args:
        no_float64: refuse float64 tensors on the device, as Apple's GPUs do.
        before: called as ``before(operation, args)`` with each operation that has a tensor of the device; may raise, for
            example an out-of-memory error.
    """

    def __init__(self, no_float64: bool = False, before: Callable[[Any, tuple], None] | None = None):
        super().__init__()
        self.no_float64, self.before = no_float64, before
        self._constructors = _Constructors()
        _register()

    def __enter__(self) -> torch.device:
        super().__enter__()
        self._constructors.__enter__()
        return torch.device(DEVICE)

    def __exit__(self, *error: Any) -> None:
        self._constructors.__exit__(*error)
        super().__exit__(*error)

    @contextlib.contextmanager
    def _again(self) -> Iterator[None]:
        super().__enter__()
        try:
            yield
        finally:
            super().__exit__(None, None, None)

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        if self.before is not None and any(isinstance(value, OtherTensor) for value in tree_flatten((args, kwargs))[0]):
            self.before(operation, args)
        if torch.is_inference_mode_enabled():  # what is made of other operations comes whole then
            with self._again():
                parts = operation.decompose(*args, **(kwargs or {}))
            if parts is not NotImplemented:
                return parts
        result = _run(operation, args, kwargs or {})
        if self.no_float64:
            for value in tree_flatten(result)[0]:
                if isinstance(value, OtherTensor) and value.dtype == torch.float64:
                    raise TypeError(f"{operation}: this device has no float64")
        return result


def _run(operation, args: tuple, kwargs: dict[str, Any]):
    """One operation on the CPU; what it gives is on the other device if its tensors or its ``device`` are."""
    values = tree_flatten((args, kwargs))[0]
    name = operation.name().split(".")[0]
    if name == "aten::_has_compatible_shallow_copy_type":  # may a parameter take over the other's memory?
        return isinstance(args[0], OtherTensor) == isinstance(args[1], OtherTensor)
    wanted = kwargs.get("device")
    on_other = [value for value in values if isinstance(value, OtherTensor)]
    _check_devices(operation, name, args, values, on_other)
    if wanted is not None:
        to_other = torch.device(wanted).type == NAME
        if to_other and isinstance(kwargs.get("generator"), torch.Generator):
            raise RuntimeError(f"{name}: expected a generator of {DEVICE}, found one of the CPU")
        kwargs = {**kwargs, "device": torch.device("cpu")}
    else:
        to_other = bool(on_other)
        if to_other and isinstance(kwargs.get("generator"), torch.Generator):
            raise RuntimeError(f"{name}: expected a generator of {DEVICE}, found one of the CPU")
    plain_args, plain_kwargs = tree_map(_inner, args), tree_map(_inner, kwargs)
    result = operation(*plain_args, **plain_kwargs)
    if name == "aten::copy_" and not isinstance(args[0], OtherTensor):
        return args[0]
    if not to_other:
        return result
    wrapped = tree_map(lambda value: OtherTensor(value) if type(value) is torch.Tensor else value, result)
    if not on_other:
        return wrapped
    return return_and_correct_aliasing(operation, args, kwargs, wrapped)


def _check_devices(operation, name: str, args: tuple, values: list, on_other: list) -> None:
    on_cpu = [value for value in values if isinstance(value, torch.Tensor) and not isinstance(value, OtherTensor)]
    if not on_other or not on_cpu or name in _CROSSING:
        return
    if name in _INDEXED_BY_CPU and isinstance(args[0], OtherTensor):
        on_cpu = [value for value in on_cpu if value.dtype not in (torch.int64, torch.int32, torch.bool, torch.uint8)]
    if torch.Tag.pointwise in operation.tags or name in _INDEXED_BY_CPU:
        on_cpu = [value for value in on_cpu if value.ndim]
    if on_cpu:
        raise RuntimeError(f"{name}: expected all tensors to be on the same device, found {DEVICE} and cpu")


def _without_lists(index: Any) -> Any:
    """Turn lists of an index into tensors: torch makes these below the reach of a dispatch mode."""
    if isinstance(index, tuple):
        return tuple(_without_lists(one) for one in index)
    return torch.tensor(index) if isinstance(index, list) else index


def _inner(value: Any) -> Any:
    return value.inner if isinstance(value, OtherTensor) else value


class _Backend:
    """What torch asks of the module of a device."""

    @staticmethod
    def is_initialized() -> bool:
        return True

    @staticmethod
    def is_available() -> bool:
        return True

    @staticmethod
    def current_device() -> int:
        return 0

    @staticmethod
    def device_count() -> int:
        return 1

    @staticmethod
    def _is_in_bad_fork() -> bool:
        return False

    @staticmethod
    def manual_seed_all(seed: int) -> None:
        del seed

    @staticmethod
    def get_amp_supported_dtype() -> list[torch.dtype]:
        return [torch.float16, torch.bfloat16]


def _register() -> None:
    """Give torch the device's name, once a process."""
    if torch._C._get_privateuse1_backend_name() != NAME:
        backend_registration._setup_privateuseone_for_python_backend(NAME, backend_module=_Backend())


# When it first runs backward, torch counts the devices that there are: so this one exists from the import on.
_register()
