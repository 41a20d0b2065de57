"""A model that measures without denoisers, with a class-conditional one beside it for the pseudo-healthy image."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from midlineshift_training.trainers.class_conditional_denoiser import denoiser_use, load_class_conditional
from midlineshift_training.trainers.run_folder.trained_on import weights_trained_on
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.models.folder import load_model, save_model


def add_denoiser(out: Path, model: str, denoiser: Path, texts: dict[str, str], accuracy: dict[str, Any]) -> Path:
    """Write a model folder with the networks of a model and a denoiser; it measures exactly as the model does.

    Args:
        out: the folder; must not exist yet. model: name or folder of a model that measures without denoisers.
        denoiser: run of ``diffusion --class-conditional``, or a model that has such a denoiser.
        texts: as of ``export_runs``. accuracy: measured figures, added to those of the model.

    Returns:
        The folder.

    Raises:
        InputError: the model has denoisers already, or its frame is not the denoiser's.
    """
    base, use, network = load_model(model), denoiser_use(denoiser), load_class_conditional(denoiser)
    description = base.description
    if base.uses_noise_difference:
        raise InputError(
            f"The model {base.name!r} measures with its own denoisers; they cannot be replaced.", "denoisers"
        )
    frame = base.frame_of("deformation")
    if abs(use.frame_width_mm - frame["grid"] * frame["pixel_mm"]) > 1e-6 or use.frame_mm != frame["length_mm"]:
        raise InputError(f"The denoiser has another frame than the model {base.name!r}.", "runs")
    measuring = [name for name in ("pose", "deformation", "refinement") if name in description.components]
    networks = {name: base.network(name) for name in measuring} | {"denoiser": network}
    frames = {name: component.frame for name, component in description.components.items() if component.frame}
    noise = {name: getattr(use, name) for name in ("t", "schedule", "steps", "grid")} | {"seed": 0, "gain": 1.0}
    said = texts["trained_on"] or (
        f"{' and '.join(measuring)} network of {base.name} {description.version} ({description.trained_on}); denoiser: "
        f"{weights_trained_on(denoiser).text()}"
    )
    changed: dict[str, Any] = texts | {"trained_on": said}
    combined = replace(
        description,
        **changed,
        noise=noise | {"ddim": use.ddim},
        accuracy=description.accuracy | accuracy,
    )
    return save_model(out, combined, networks, frames)
