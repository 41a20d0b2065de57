"""How quick training is: ours against the authors' way, in turn, with equal networks and batches; a table and JSON.

``python Testing/benchmarks/training_speed.py [--short] [--json FILE]``. Each figure is the median over repetitions of a
ratio of two times that were taken one right after the other, so a machine that is busy evenly disturbs it little; times
themselves say something only on a machine that does nothing else. What a GPU gains (bf16, compile, fused optimizer) is
measured where there is one.
"""

from __future__ import annotations

import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import click
import torch

sys.path.insert(0, str(Path(__file__).parent))

import machine
from training_authors import index_of, kept_in_memory, landmark_batch, noised_batch, write_volumes

from midlineshift_training.datasets.annotated_slices import AnnotatedSlices, to_aligned_slices
from midlineshift_training.trainers.diffusion_trainer import DiffusionTrainer
from midlineshift_training.trainers.landmark_trainer import LandmarkTrainer
from midlineshift_training.trainers.settings.diffusion import DiffusionSettings
from midlineshift_training.trainers.settings.landmarks import LandmarkSettings
from MidlineShiftLogic.networks.denoiser import Denoiser

NETWORK = {
    "base_channels": 32,
    "channel_multipliers": [1, 1],
    "residual_blocks": 1,
    "attention_resolutions": [],
    "head_channels": 32,
}
DENOISER_GRID = 32
# the same work on both sides: nothing is degraded, sizes and places are not varied (theirs are not either)
SAME = {"rotation_deg": 15.0, "size_jitter": 0.0, "place_jitter_px": 0.0, "precision": "32-true"}


# what our slices are kept at, whether the authors' volumes are read from the disk, and how that is called
HOW = (
    (lambda size: size, False, "equal arithmetic"),
    (lambda size: size, True, "equal arithmetic, volumes not in the page cache"),
    (lambda size: size // 2, False, "kept at half the size"),
)


class Setting:
    """The slices of one comparison and what both ways train."""

    def __init__(self, folder: Path, short: bool, batch: int, keep: bool = True):
        self.paths = write_volumes(folder / "volumes", 2 if short else 8, 16 if short else 30, 128 if short else 256)
        self.index = index_of(self.paths)
        self.store = kept_in_memory(self.paths) if keep else None
        self.size, self.batch = 128 if short else 256, batch
        self.ddim = {"start": 1} if short else {}

    def denoising(self, kept: int, **more) -> DiffusionTrainer:
        """Stage 1; our slices are kept on a grid of ``kept``."""
        settings = DiffusionSettings(
            **SAME | {"degraded_share": 0.0, "grid": DENOISER_GRID, "network": NETWORK, "batch": self.batch} | more
        )
        slices = to_aligned_slices(self.store, 1.5)
        slices.hu = torch.nn.functional.adaptive_avg_pool2d(slices.hu.float()[:, None], kept)[:, 0].half()
        return _free(DiffusionTrainer(settings, slices, None))

    def deforming(self, pseudo_healthy: str, **more) -> LandmarkTrainer:
        """Stage 2, with denoisers as small as stage 1 trains here."""
        own = {"grid": self.size, "noise": {"grid": DENOISER_GRID}, "batch": self.batch, "rate": "cosine"}
        own["ddim"] = self.ddim
        settings = LandmarkSettings(**SAME | own | {"pseudo_healthy": pseudo_healthy} | more)
        return _Deforming(settings, self.store, None)


class _Deforming(LandmarkTrainer):
    """Stage 2 with two fresh denoisers instead of those of runs."""

    def __init__(self, settings: LandmarkSettings, slices: AnnotatedSlices, validation: None):
        import midlineshift_training.trainers.run_folder.finished_run as module

        original, module.load_run_network = (
            module.load_run_network,
            lambda path: Denoiser(image_size=DENOISER_GRID, **NETWORK).eval(),
        )
        try:
            super().__init__(settings | {"conditional": "", "unconditional": ""}, slices, validation)
        finally:
            module.load_run_network = original
        self.slices = () if slices is None else slices  # the authors' way keeps none
        _free(self)

    def term_weights(self, weights: dict[str, float], image_growth: float, slices: int) -> dict[str, float]:
        return weights


def _free(stage):
    """A stage that needs no trainer."""
    stage.log_terms = lambda total, terms: None
    return stage


class _OneConvolution(torch.nn.Conv2d):
    """Noise and variance by one convolution."""

    def __init__(self):
        super().__init__(1, 2, 3, padding=1)

    def forward(self, x, timesteps):
        return super().forward(x)


def _with_one_convolution(stage: DiffusionTrainer) -> DiffusionTrainer:
    stage.network = _OneConvolution()
    return stage


class Steps:
    """Whole steps of a stage as the engine takes them: forward, backward, clipping, optimizer, schedule."""

    def __init__(self, stage, compiled: bool = False):
        self.stage = stage.train()
        if compiled:
            stage.network.compile()
        found = stage.configure_optimizers()
        self.optimizer, self.schedule = found["optimizer"], found["lr_scheduler"]["scheduler"]
        self.half = stage.settings.precision == "bf16-mixed"
        self.taken = 0

    def __call__(self, batch) -> None:
        self.optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.half):
            loss = self.stage.training_step(batch, self.taken)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.stage.network.parameters(), 3.0)
        self.optimizer.step()
        self.schedule.step()
        self.taken += 1


def in_turn(
    ours: Callable[[int], object], theirs: Callable[[int], object], images: int, repeats: int, calls: int = 1
) -> dict:
    """Images a second of two ways that take ``number`` and make ``images`` images a call; after one call to warm up."""
    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    for repeat in range(-1, repeats):
        # each is the first in every second repetition
        order = [("ours", ours), ("theirs", theirs)][:: 1 if repeat % 2 else -1]
        for name, way in order:
            started = time.perf_counter()
            for call in range(1 if repeat < 0 else calls):
                way((repeat + 1) * calls + call)
            if repeat >= 0:
                times[name].append((time.perf_counter() - started) / calls)
    ratios = [b / a for a, b in zip(times["ours"], times["theirs"], strict=True)]
    return {
        "ours_images_per_s": images / median(times["ours"]),
        "theirs_images_per_s": images / median(times["theirs"]),
        "ratio": median(ratios),
        "lowest": min(ratios),
        "highest": max(ratios),
    }


def loading(s: Setting, repeats: int, calls: int) -> dict[str, dict]:
    """Batches alone."""
    rows = {}
    for kept, cold, how in HOW:
        stage = s.denoising(kept(s.size))
        rows[f"loading, stage 1, {how}"] = in_turn(
            lambda n, stage=stage: stage.training_batches(n, 1)[0],
            lambda n, stage=stage, cold=cold: noised_batch(s.index, stage.settings.model_dump(), _seed(n), cold),
            s.batch, repeats, calls,
        )  # fmt: skip
    stage = s.deforming("once")
    rows["loading, stage 2, equal arithmetic"] = in_turn(
        lambda n: stage.training_batches(n, 1)[0],
        lambda n: landmark_batch(s.index, _drawn(s, n), stage.settings.model_dump(), _seed(n)),
        s.batch, repeats, calls,
    )  # fmt: skip
    return rows


def training(s: Setting, repeats: int, quick_calls: int) -> dict[str, dict]:
    """Loading and steps."""
    rows = {}
    stage, twin = s.denoising(s.size // 2), s.denoising(s.size // 2)
    ours, theirs = Steps(stage), Steps(twin)
    rows["loading and step, stage 1"] = in_turn(
        lambda n: ours(stage.training_batches(n, 1)[0]),
        lambda n: theirs(noised_batch(s.index, twin.settings.model_dump(), _seed(n))),
        s.batch, repeats,
    )  # fmt: skip
    # a step that costs next to nothing, as on a quick GPU: what is left is the loader
    for kept, cold, how in HOW:
        quick, twin = (_with_one_convolution(s.denoising(kept(s.size))) for _ in range(2))
        ours, theirs = Steps(quick), Steps(twin)
        rows[f"loading and step, stage 1, a network of one convolution, {how}"] = in_turn(
            lambda n, a=ours, b=quick: a(b.training_batches(n, 1)[0]),
            lambda n, a=theirs, b=twin, cold=cold: a(noised_batch(s.index, b.settings.model_dump(), _seed(n), cold)),
            s.batch, repeats, quick_calls,
        )  # fmt: skip
    for name, mode in (("equal arithmetic in the step", "every step"), ("targets once instead of every step", "once")):
        stage, twin = s.deforming(mode), s.deforming("every step")
        if mode == "once":
            started = time.perf_counter()
            stage._healthy = stage._make_all()
            made = time.perf_counter() - started
        rows[f"loading and step, stage 2, {name}"] = _deforming_in_turn(s, stage, twin, True, repeats)
    rows["step alone, stage 2, targets once instead of every step"] = row = _deforming_in_turn(
        s, stage, twin, False, repeats
    )
    saved = s.batch / row["theirs_images_per_s"] - s.batch / row["ours_images_per_s"]
    row["targets_made_in_s"] = made
    row["made_good_after_passes"] = made / saved * s.batch / len(s.store) if saved > 0 else None
    return rows


def _deforming_in_turn(s: Setting, stage, twin, whole: bool, repeats: int) -> dict:
    ours, theirs = Steps(stage), Steps(twin)
    fixed = stage.training_batches(0, 1)[0]
    return in_turn(
        lambda n: ours(stage.training_batches(n, 1)[0] if whole else fixed),
        lambda n: theirs(landmark_batch(s.index, _drawn(s, n), twin.settings.model_dump(), _seed(n)) if whole else fixed),
        s.batch, repeats,
    )  # fmt: skip


def choices(s: Setting, repeats: int, compiled: bool) -> dict[str, dict]:
    """What each setting of speed gives on this processor: 'ours' is with it."""
    with_it = {
        "channels last": ({"channels_last": True}, {"channels_last": False}),
        "fused optimizer": ({"fused_optimizer": True}, {"fused_optimizer": False}),
        "bf16-mixed": ({"precision": "bf16-mixed"}, {}),
        **({"torch.compile": ({}, {})} if compiled else {}),
    }
    rows = {}
    healthy = s.deforming("once")._make_all()
    for kind, make in (
        ("stage 1", lambda **o: s.denoising(s.size // 2, **o)),
        ("stage 2", lambda **o: s.deforming("once", **o)),
    ):
        for name, (one, other) in with_it.items():
            stage, twin = make(**one), make(**other)
            if kind == "stage 2":
                stage._healthy = twin._healthy = healthy
            batch = stage.training_batches(0, 1)[0]
            a, b = Steps(stage, compiled=name == "torch.compile"), Steps(twin)
            rows[f"{name}, {kind}"] = in_turn(
                lambda n, a=a, batch=batch: a(batch), lambda n, b=b, batch=batch: b(batch), s.batch, repeats
            )
    return rows


def memory(short: bool, batch: int) -> dict[str, float]:
    """Peak MB of a process that trains stage 2 for a few steps, each way in a process of its own; in this one if short."""
    if short:
        return {way: _peak(way, short, batch) for way in ("ours", "theirs")}
    context = multiprocessing.get_context("spawn")
    found = {}
    for way in ("ours", "theirs"):
        with context.Pool(1) as pool:
            found[way] = pool.apply(_peak, (way, short, batch))
    return found


def _peak(way: str, short: bool, batch: int) -> float:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        s = Setting(Path(place), short, batch, keep=way == "ours")
        stage = s.deforming("once" if way == "ours" else "every step")
        if way == "ours":
            stage._healthy = stage._make_all()
        step = Steps(stage)
        for n in range(2):
            step(stage.training_batches(n, 1)[0] if way == "ours" else landmark_batch(
                s.index, torch.arange(batch), stage.settings.model_dump(), _seed(n)
            ))  # fmt: skip
    status = Path("/proc/self/status")
    if status.is_file():  # ru_maxrss of a child begins with what its parent had
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def said(what: str) -> None:
    """Tell on stderr what comes next."""
    click.echo(what, err=True)


def _seed(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)


def _drawn(s: Setting, number: int) -> torch.Tensor:
    return torch.randint(len(s.index), (s.batch,), generator=_seed(number))


def collect(short: bool, repeats: int, batch: int, threads: int) -> dict:
    """All figures of one run, JSON-ready."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    figures = {"short": short, "repeats": repeats, "batch": batch, "threads": threads, "machine": machine.describe()}
    quick = 1 if short else 6  # calls of what takes milliseconds, to one of what takes seconds
    with tempfile.TemporaryDirectory() as place:
        s = Setting(Path(place), short, batch)
        figures |= {"slices": len(s.index), "pixels": s.size}
        said("loading")
        figures["loading"] = loading(s, repeats, quick)
        said("training")
        figures["training"] = training(s, repeats, quick)
        said("settings of speed")
        figures["choices"] = choices(s, repeats, compiled=not short)
        figures["store_mb"] = sum(t.numel() * t.element_size() for t in vars(s.store).values()) / 2**20
    said("memory")
    figures["memory_mb"] = memory(short, batch)
    return figures


def markdown(figures: dict) -> str:
    """The table of one run."""
    load = figures["machine"]["load_before"]
    lines = [
        f"Measured on {machine.sentence(figures['machine'])}; {figures['threads']} thread(s), batch {figures['batch']}."
    ]
    if figures["machine"]["busy"]:
        lines.append(
            f"**The machine was busy (load {load:.1f}): images a second are too few, and ratios with a wide range are rough.**"
        )
    if figures["short"]:
        lines.append("**Short form: shows that it runs, not how quick it is.**")
    for title, other, part in (
        ("against the authors' way", "authors' way", {**figures["loading"], **figures["training"]}),
        ("settings, with against without", "without", figures["choices"]),
    ):
        lines += ["", f"| {title} | images/s | {other}, images/s | ratio (lowest to highest) |", "|---|---|---|---|"]
        lines += [
            f"| {name} | {r['ours_images_per_s']:.1f} | {r['theirs_images_per_s']:.1f} "
            f"| {r['ratio']:.2f} ({r['lowest']:.2f} to {r['highest']:.2f}) |"
            for name, r in part.items()
        ]
    once = figures["training"]["step alone, stage 2, targets once instead of every step"]
    passes = once["made_good_after_passes"]
    lines += [
        "",
        f"Targets made once took {once['targets_made_in_s']:.1f} s for {figures['slices']} slices"
        + ("." if passes is None else f", made good after {passes:.1f} passes over them."),
        f"Peak memory of a process that trains stage 2: ours {figures['memory_mb']['ours']:.0f} MB (slices in memory: "
        f"{figures['store_mb']:.0f} MB), authors' way {figures['memory_mb']['theirs']:.0f} MB.",
        "" if figures["machine"]["gpu"] else "What a GPU gains was not measured: this machine has none.",
        f"{figures['repeats']} repetitions in turn, medians.",
    ]
    return "\n".join(lines)


@click.command()
@click.option("--short", is_flag=True, help="Small and once: shows that it runs, not how quick it is.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Also write the figures here.")
@click.option("--repeats", default=7, show_default=True, help="Pairs of each comparison.")
@click.option("--batch", default=4, show_default=True, help="Slices a batch.")
@click.option("--threads", default=1, show_default=True, help="CPU threads.")
def main(short: bool, json_file: Path | None, repeats: int, batch: int, threads: int) -> None:
    """Measure training, ours against the way of Gong et al."""
    figures = collect(short, 1 if short else repeats, 2 if short else batch, threads)
    click.echo(markdown(figures))
    if json_file is not None:
        json_file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
