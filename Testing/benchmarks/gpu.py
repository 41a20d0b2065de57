"""A warm case on a GPU: times, memory, how near its networks come to what the GPU can do at best, equality with the CPU.

``python Testing/benchmarks/gpu.py [--json FILE] [--scan FILE ...]`` takes less than five minutes, prints JSON, and ends
with 1 if a number differs from the CPU's by more than 0.01 mm.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from statistics import median

import click
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))

import machine
from scans import bench_scan
from torch.utils.flop_counter import FlopCounterMode

from MidlineShiftLogic.api import measure_case
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.inference.pipeline import run_networks
from MidlineShiftLogic.inference.pseudo_healthy import make_pseudo_healthy
from MidlineShiftLogic.models import load_model
from MidlineShiftLogic.models.locate import DEFAULT_MODEL, MODEL_WITH_DENOISERS

EQUAL_MM = 0.01
"""Largest difference between the millimetres of the GPU and of the CPU."""
EQUAL_HU = 0.5
"""Largest difference of a pseudo-healthy picture, whose window is 80 HU wide: DDIM steps add up what rounding differs by."""
SAMPLES = Path(__file__).parents[2] / "Resources" / "SampleScans"
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


def equality(ct: HeadCT, model_name: str, device: str) -> dict:
    """Compare a case on a device with the CPU.

    Returns:
        Largest differences in mm of the case's and of the slices' shifts and of the largest displacement, whether the same
        slices were measured and the same flags raised, and both times.
    """
    found = {}
    seconds = {}
    for name in ("cpu", device):
        model = load_model(model_name, name)
        started = time.perf_counter()
        found[name] = measure_case(ct, lambda model=model, name=name: (model, name), authors_readout=True).measurement
        seconds[name] = round(time.perf_counter() - started, 3)
    ours, theirs = found["cpu"], found[device]
    if ours.refused or theirs.refused:
        return {"equal": ours.refused == theirs.refused, "refused": [ours.refused, theirs.refused]}
    same_slices = [one.index for one in ours.slices] == [one.index for one in theirs.slices]
    of_slices = [abs(a.signed_shift_mm - b.signed_shift_mm) for a, b in zip(ours.slices, theirs.slices, strict=False)]
    difference = {
        "case_mm": abs(ours.signed_shift_mm - theirs.signed_shift_mm),
        "slices_mm": max(of_slices),
        "authors_readout_mm": abs(ours.authors_readout_mm - theirs.authors_readout_mm),
    }
    flags = [sorted(flag.code for flag in one.quality) for one in (ours, theirs)]
    return {
        "equal": same_slices and flags[0] == flags[1] and max(difference.values()) <= EQUAL_MM,
        "device": theirs.device,
        **{name: round(value, 6) for name, value in difference.items()},
        "same_slices": same_slices,
        "same_flags": flags[0] == flags[1],
        "seconds": seconds,
    }


def pseudo_healthy_equality(ct: HeadCT, device: str, index: int) -> dict:
    """Compare the pseudo-healthy picture of one slice on a device with the CPU's."""
    pictures = [
        make_pseudo_healthy(ct, load_model(MODEL_WITH_DENOISERS, name), name, [index]).hu for name in ("cpu", device)
    ]
    difference = float(np.abs(pictures[0] - pictures[1]).max())
    return {"equal": difference <= EQUAL_HU, "hu": round(difference, 4)}


def compare(scans: list[Path], device: str) -> dict:
    """Compare scans on a device with the CPU, with both shipped models, and one pseudo-healthy slice."""
    from MidlineShiftLogic.headct import read

    rows = {
        f"{path.name}, {model}": equality(read(path), model, device)
        for path in scans
        for model in (DEFAULT_MODEL, MODEL_WITH_DENOISERS)
    }
    first = read(scans[0])
    rows["pseudo-healthy slice"] = pseudo_healthy_equality(first, device, first.n_slices // 2)
    return rows


@click.command()
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Also write the figures here.")
@click.option(
    "--scan", "scans", multiple=True, type=click.Path(path_type=Path, exists=True), help="Instead of the samples."
)
@click.option("--repeats", default=20, show_default=True, help="Of what is timed.")
def main(json_file: Path | None, scans: tuple[Path, ...], repeats: int) -> None:
    """Measure on the GPU and compare with the CPU."""
    if not torch.cuda.is_available():
        raise click.ClickException(SKIPPED)
    started = time.perf_counter()
    figures = {
        "machine": machine.describe(),
        "equality": compare(list(scans) or sorted(SAMPLES.glob("*.nii.gz")), "cuda:0"),
        "warm case of 30 slices": warm_case(bench_scan(30, 512), repeats),
    }
    figures["seconds"] = round(time.perf_counter() - started, 1)
    text = json.dumps(figures, indent=2)
    click.echo(text)
    if json_file is not None:
        json_file.write_text(text + "\n", encoding="utf-8")
    if not all(row["equal"] for row in figures["equality"].values()):
        raise click.ClickException(f"A number differs from the CPU's by more than {EQUAL_MM} mm, see 'equality'.")


if __name__ == "__main__":
    main()
