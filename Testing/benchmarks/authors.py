"""Ours against the way of Gong et al., taken in turn in one process: our own network classes at their size and read-out.

Theirs is two denoisers of 138 M parameters at 256 px and a small deformation network on slices 8 to depth - 5, and the
largest displacement as the number. One slice is timed and multiplied by the slices unless it is run whole. The weights
are random: neither time nor arithmetic depends on them.
"""

from __future__ import annotations

import time
from statistics import median

import torch
from torch.utils.flop_counter import FlopCounterMode

from MidlineShiftLogic.api import measure_case
from MidlineShiftLogic.geometry.fields import integrate
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.models import load_model
from MidlineShiftLogic.models.empty_init import empty_init
from MidlineShiftLogic.networks.denoiser import Denoiser
from MidlineShiftLogic.networks.diffusion import fixed_noise, linear, noise_difference
from MidlineShiftLogic.networks.voxelmorph import DeformationNet

PIXELS = 256
LEVEL = 300
FIRST_SLICE, LEFT_OUT_ABOVE = 8, 5


def slices_of_theirs(slices: int) -> int:
    """How many slices their test reads of a scan."""
    return max(slices - LEFT_OUT_ABOVE - FIRST_SLICE, 1)


class AuthorsWay:
    """Their test on one slice: noise difference at t = 300, deformation, largest displacement.

    One denoiser is kept and used for both: they are the same size, and so half of the memory does.
    """

    def __init__(self, device: str, pixels: int = PIXELS):
        self.denoiser = _filled(Denoiser, device)
        self.deformation = _filled(DeformationNet, device)
        self.x = torch.rand(1, 1, pixels, pixels, device=device) * 2 - 1
        self.noise = fixed_noise((1, 1, pixels, pixels), 0).to(device)
        self.schedule = linear(1000)
        self.step = torch.full((1,), LEVEL, device=device)

    @torch.inference_mode()
    def one_slice(self) -> float:
        """Largest displacement, px."""
        difference = noise_difference(self.denoiser, self.denoiser, self.schedule, self.x, self.step, self.noise)
        u = integrate(self.deformation(torch.cat([self.x, difference], 1)))
        return float(u.norm(dim=1).max())


def _filled(kind: type[torch.nn.Module], device: str) -> torch.nn.Module:
    with empty_init():
        network = kind()
    network = network.to_empty(device=device)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.02)
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def arithmetic(ct: HeadCT, model_name: str | None = None) -> dict:
    """GFLOP of the networks of one case (convolutions and matrix products, a multiplication and an addition are two)."""
    model = load_model(model_name, "cpu")
    with FlopCounterMode(display=False) as counter:
        measured = measure_case(ct, lambda: (model, "cpu")).measurement
    if measured.refused:
        raise RuntimeError(f"the scan was refused: {measured.refused['message']}")
    ours = counter.get_total_flops() / 1e9
    with empty_init():
        denoiser, deformation = Denoiser(), DeformationNet()
    with torch.device("meta"), FlopCounterMode(display=False) as counter, torch.inference_mode():
        denoiser(torch.empty(1, 1, PIXELS, PIXELS), torch.empty(1, dtype=torch.long))
    one = counter.get_total_flops() / 1e9
    with torch.device("meta"), FlopCounterMode(display=False) as counter, torch.inference_mode():
        deformation(torch.empty(1, 2, PIXELS, PIXELS))
    slices = slices_of_theirs(ct.n_slices)
    theirs = slices * (2 * one + counter.get_total_flops() / 1e9)
    return {
        "ours_gflop": round(ours, 2),
        "authors_gflop": round(theirs, 1),
        "authors_denoiser_gflop": round(one, 1),
        "authors_slices": slices,
        "ratio": round(theirs / ours, 1),
    }


def paired_times(ct: HeadCT, device: str, repeats: int, whole: bool = False, pixels: int = PIXELS) -> dict:
    """Seconds of a warm case from arrays (checks, pose, networks, read-out) and of theirs, in turn.

    Args:
        ct: the scan. device: of both. repeats: pairs; the first one warms up and is not counted.
        whole: run all slices of theirs instead of one that is multiplied. pixels: of their slice.
    """
    model = load_model(None, device)
    theirs = AuthorsWay(device, pixels)
    slices = slices_of_theirs(ct.n_slices)
    pairs = []
    for _ in range(repeats + 1):
        ours = _seconds(lambda: measure_case(ct, lambda: (model, device)), device)
        ran = slices if whole else 1
        other = _seconds(lambda ran=ran: [theirs.one_slice() for _ in range(ran)], device)
        pairs.append((ours, other * slices / ran))
    pairs = pairs[1:]
    return {
        "ours_s": round(median(ours for ours, _ in pairs), 3),
        "authors_s": round(median(other for _, other in pairs), 1),
        "ratio": round(median(other / ours for ours, other in pairs), 1),
        "authors_slices": slices,
        "authors_run_whole": whole,
        "authors_pixels": pixels,
        "pairs": [[round(value, 3) for value in pair] for pair in pairs],
        "threads": torch.get_num_threads(),
        "device": device,
    }


def _seconds(work, device: str) -> float:
    started = time.perf_counter()
    work()
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    return time.perf_counter() - started
