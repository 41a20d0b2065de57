"""One class-conditional denoiser in the place of the two of Gong et al.: from a run, or from a model that has one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from midlineshift_training.trainers.run_folder.finished_run import load_run_network
from midlineshift_training.trainers.settings.class_conditional import ClassConditionalSettings
from midlineshift_training.trainers.settings.stored import load_run_settings
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.models.folder import Model, load_model
from MidlineShiftLogic.models.locate import list_models
from MidlineShiftLogic.networks.denoiser import CLASSES, Denoiser

GAIN = 1.0
"""Factor that brings the noise difference of a class-conditional denoiser to order one."""
LEVELS_AROUND = (3, 5)
"""Noise levels in training are between so many quarters of the level at test."""


@dataclass(frozen=True)
class DenoiserUse:
    """How a class-conditional denoiser is meant to be used.

    Attributes:
        t, schedule, steps, grid: as of ``NoiseSettings``. largest_t: noise levels in its training were below it.
        ddim: values of ``Ddim``. frame_width_mm, frame_mm: width of its image and falx length, frame millimetres.
    """

    t: int
    schedule: str
    steps: int
    grid: int
    largest_t: int
    ddim: dict[str, Any]
    frame_width_mm: float
    frame_mm: float

    def deformation_settings(self) -> dict[str, Any]:
        """Return ``noise``, ``ddim`` and ``t_range`` of ``DeformationSettings``."""
        low, high = (self.t * quarters // 4 for quarters in LEVELS_AROUND)
        noise = {"t": self.t, "schedule": self.schedule, "steps": self.steps, "grid": self.grid, "gain": GAIN}
        return {"noise": noise, "ddim": self.ddim, "t_range": (low, min(high, self.largest_t - 1))}


def load_class_conditional(source: str | Path) -> Denoiser:
    """Load the denoiser of a run of ``diffusion --class-conditional``, or of a model that has one.

    Args:
        source: run folder, or model by name or folder.

    Raises:
        InputError: there is no such run or model, or it has no class-conditional denoiser.
    """
    model = _as_model(source)
    network = load_run_network(Path(source)) if model is None else model.network("denoiser")
    if not isinstance(network, Denoiser) or network.config.get("num_classes") != CLASSES:
        raise _other(source)
    return network


def denoiser_use(source: str | Path) -> DenoiserUse:
    """Find how the denoiser of a run or a model is meant to be used. Argument and errors as of ``load_class_conditional``."""
    model = _as_model(source)
    if model is not None:
        noise, frame = model.noise, model.frame_of("denoiser")
        return DenoiserUse(
            **{name: noise[name] for name in ("t", "schedule", "steps", "grid")},
            largest_t=noise["steps"],
            ddim=noise["ddim"],
            frame_width_mm=frame["grid"] * frame["pixel_mm"],
            frame_mm=frame["length_mm"],
        )
    settings = load_run_settings(Path(source))
    if not isinstance(settings, ClassConditionalSettings):
        raise _other(source)
    names = ("t", "schedule", "steps", "grid", "largest_t", "frame_width_mm", "frame_mm")
    return DenoiserUse(**{name: getattr(settings, name) for name in names}, ddim=settings.ddim.model_dump())


def _as_model(source: str | Path) -> Model | None:
    """Open a model, if ``source`` is one and not a run. InputError if it has no class-conditional denoiser."""
    if not ((Path(source) / "model.json").exists() or str(source) in list_models()):
        return None
    model = load_model(source)
    if not model.class_conditional:
        raise _other(source)
    return model


def _other(source: str | Path) -> InputError:
    return InputError(
        f"{source} has no class-conditional denoiser, as 'diffusion --class-conditional' trains one.", "denoisers"
    )
