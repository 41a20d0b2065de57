"""A warm case on a GPU, and how near its networks come to what the GPU can do at best."""

from __future__ import annotations

import time
from statistics import median

import torch
from torch.utils.flop_counter import FlopCounterMode

from MidlineShiftLogic.api import measure_case
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.inference.pipeline import run_networks
from MidlineShiftLogic.models import load_model

SKIPPED = "No CUDA GPU was found: the GPU part was not run, so nothing is said about it."
WARM_UP = 3


def warm_case(ct: HeadCT, repeats: int = 20) -> dict:
    """Seconds of a case from arrays, of its networks with pose and cutting alone, and the floor of the networks.

    The floor is the larger of arithmetic / rate and bytes / bandwidth, with rate and bandwidth as measured here by a
    large matrix product (TF32, as convolutions use) and a copy; bytes are the layers' inputs, outputs and weights.
    """
    device = "cuda:0"
    model = load_model(None, device)
    case = _times(lambda: measure_case(ct, lambda: (model, device)), repeats)
    torch.cuda.reset_peak_memory_stats()
    networks = _times(lambda: run_networks(ct, model, device), repeats)
    peak = torch.cuda.max_memory_allocated() / 2**20
    flops, moved = _work(ct, model, device)
    rate, bandwidth = _matrix_rate(), _copy_bandwidth()
    floor = max(flops / rate, moved / bandwidth)
    return {
        "case_s": round(case, 4),
        "networks_s": round(networks, 4),
        "peak_mb": round(peak),
        "gflop": round(flops / 1e9, 2),
        "moved_mb": round(moved / 1e6, 1),
        "tflop_per_s": round(rate / 1e12, 1),
        "gb_per_s": round(bandwidth / 1e9),
        "floor_s": round(floor, 5),
        "bound_by": "arithmetic" if flops / rate > moved / bandwidth else "memory",
        "share_of_floor": round(floor / networks, 4),
    }


def _times(work, repeats: int) -> float:
    seconds = []
    for number in range(WARM_UP + repeats):
        torch.cuda.synchronize()
        started = time.perf_counter()
        work()
        torch.cuda.synchronize()
        if number >= WARM_UP:
            seconds.append(time.perf_counter() - started)
    return median(seconds)


def _work(ct: HeadCT, model, device: str) -> tuple[float, float]:
    """FLOP and bytes of the networks of one case."""
    moved = 0

    def count(layer, inputs, output) -> None:
        nonlocal moved
        tensors = [*inputs, output, *layer.parameters(recurse=False)]
        moved += sum(t.numel() * t.element_size() for t in tensors if isinstance(t, torch.Tensor))

    names = list(model.description.components)
    hooks = [
        layer.register_forward_hook(count)
        for name in names
        for layer in model.network(name).modules()
        if not list(layer.children())
    ]
    try:
        with FlopCounterMode(display=False) as counter:
            run_networks(ct, model, device)
    finally:
        for hook in hooks:
            hook.remove()
    return float(counter.get_total_flops()), float(moved)


def _matrix_rate(size: int = 8192) -> float:
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        a, b = torch.rand(size, size, device="cuda"), torch.rand(size, size, device="cuda")
        return 2 * size**3 / _times(lambda: a @ b, 10)
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def _copy_bandwidth(count: int = 2**28) -> float:
    a = torch.rand(count, device="cuda")
    b = torch.empty_like(a)
    return 2 * 4 * count / _times(lambda: b.copy_(a), 10)
