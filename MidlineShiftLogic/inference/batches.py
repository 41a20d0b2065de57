"""Send slices through a network in batches, smaller ones where the device's memory does not take them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import torch

Result = TypeVar("Result")

GPU_SLICES = 64
"""Slices of one batch on a GPU: any usual head in one pass; a scan of hundreds of slices needs no more memory than that."""


def batch_size(device: torch.device | str, on_processor: int, on_gpu: int = GPU_SLICES) -> int:
    """Return how many slices go through a network at once; processors gain nothing from more than fit their cache."""
    return on_processor if torch.device(device).type == "cpu" else on_gpu


def in_batches(work: Callable[[slice], Result], count: int, batch: int) -> Iterator[Result]:
    """Yield ``work(part)`` for consecutive parts of ``count`` slices, ``batch`` of them at a time.

    Where a GPU has too little memory for a part, this part and the rest are done in halves of it.

    Raises:
        torch.cuda.OutOfMemoryError: one slice alone does not fit (any error of that kind, ``out_of_memory``).
    """
    start = 0
    while start < count:
        part = slice(start, min(start + batch, count))
        try:
            result = work(part)
        except RuntimeError as error:
            if not out_of_memory(error) or part.stop - part.start == 1:
                raise
            batch = (part.stop - part.start) // 2
            result = None
        if result is None:  # outside of the handler, whose traceback keeps the failed part's tensors alive
            release()
            continue
        yield result
        start = part.stop


def out_of_memory(error: BaseException) -> bool:
    """Return whether a GPU had too little free memory. Apple's GPUs have no error class of their own for it."""
    return isinstance(error, torch.cuda.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and str(error).startswith("MPS backend out of memory")
    )


def release() -> None:
    """Hand memory that torch keeps for later back to the GPU."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif torch.backends.mps.is_available():
        torch.mps.empty_cache()
