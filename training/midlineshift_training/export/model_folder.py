"""A model folder from finished runs, which ``midlineshift measure`` can use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from midlineshift_training.trainers.class_conditional_denoiser import (
    DenoiserUse,
    denoiser_use,
    load_class_conditional,
)
from midlineshift_training.trainers.run_folder.finished_run import load_run_network
from midlineshift_training.trainers.run_folder.trained_on import TrainedOn, trained_on, weights_trained_on
from midlineshift_training.trainers.settings.common import RunSettings
from midlineshift_training.trainers.settings.denoising import Ddim
from midlineshift_training.trainers.settings.diffusion import DiffusionSettings
from midlineshift_training.trainers.settings.landmarks import LandmarkSettings
from midlineshift_training.trainers.settings.midline import DeformationSettings, PoseSettings, RefinementSettings
from midlineshift_training.trainers.settings.stored import load_run_settings
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.measurement.shift_settings import NEW_MODEL_SETTINGS, ShiftSettings
from MidlineShiftLogic.models.description import ModelDescription
from MidlineShiftLogic.models.folder import load_model, save_model
from MidlineShiftLogic.models.settings import parse_settings
from MidlineShiftLogic.networks.denoiser import Denoiser
from MidlineShiftLogic.networks.midline_unet import MidlineUNet
from MidlineShiftLogic.networks.strip_unet import StripUNet
from MidlineShiftLogic.networks.voxelmorph import DeformationNet
from MidlineShiftLogic.text import parse_json

DENOISERS = ("conditional", "unconditional")
DENOISER = "denoiser"
"""Component of one class-conditional denoiser, which stands for both."""
REFINEMENT = "refinement"
"""Component of the network that looks again along the midline."""


def export_runs(
    out: Path,
    runs: dict[str, Path],
    texts: dict[str, str],
    readout: dict | None = None,
    accuracy: dict | None = None,
    pose_from: str | None = None,
) -> Path:
    """Write a model folder.

    Args:
        out: the folder; must not exist yet.
        runs: component name -> run folder; pose and deformation, and both denoisers, one class-conditional ``denoiser``
            (a run, or a model that has one) or none; a refinement or none. pose may be missing beside a deformation network
            that was trained on a set with landmarks, or from a shipped model.
        texts: ``name``, ``version``, ``description``, ``licence``, ``trained_on`` of the model. ``trained_on`` is
            what the runs recorded if it is empty.
        readout, accuracy: see ``MidlineShiftLogic.models.description``; names in ``readout`` are those of
            ``ShiftSettings``.
        pose_from: model whose pose network, and shift settings unless ``readout`` is given, are taken where there is no run of
            one, and with them its refinement network if the frames agree and there is no run of that either; None: the
            default model.

    Returns:
        The folder.

    Raises:
        InputError: a run is not finished, is of another kind than its place asks for, or the runs do not fit together.
    """
    own = {component: run for component, run in runs.items() if component != DENOISER}
    networks = {component: load_run_network(run) for component, run in own.items()}
    settings = {component: load_run_settings(run) for component, run in own.items()}
    if DENOISER in runs:
        networks[DENOISER] = load_class_conditional(runs[DENOISER])
    for component, network in networks.items():
        _check_place(component, network, getattr(settings["deformation"], "noise_difference", False))
    deformation = _deformation_of(settings)
    if REFINEMENT in runs:
        check_refinement_frame(runs[REFINEMENT], _frame(deformation), "the deformation run")
    noise: dict[str, Any] | None
    if DENOISER in runs:
        noise = _class_conditional_noise(denoiser_use(runs[DENOISER]), deformation, settings)
    else:
        noise = _noise(deformation, settings)
    frames = {}
    if isinstance(networks["deformation"], DeformationNet):
        # their network needs no pose network of its own frame; it is shown heads that are upright in its frame
        frame = _frame(deformation)
        if "pose" in runs:
            frames["pose"] = _frame(_pose_of(settings))
        else:
            model = load_model(pose_from)
            networks["pose"], frames["pose"] = model.network("pose"), model.frame_of("pose")
            readout = readout or model.readout
    elif "pose" not in runs:
        # a shipped model that was trained on keeps its pose network
        model = load_model(pose_from)
        frame = _frame(deformation)
        if frame != model.frame_of("pose"):
            raise InputError(
                f"Give --pose: the pose network of {model.name!r} has another frame than the deformation network.",
                "runs",
            )
        networks["pose"] = model.network("pose")
        if REFINEMENT not in runs and REFINEMENT in model.description.components:
            # it was trained on drawn errors, and so goes with any deformation network of its frame
            networks[REFINEMENT] = model.network(REFINEMENT)
        readout = readout or model.readout
    else:
        frame = _common_frame(_pose_of(settings), deformation)
    # every parameter is written out, so that a later version's defaults do not change this model's numbers
    readout = asdict(parse_settings(ShiftSettings, asdict(NEW_MODEL_SETTINGS) | (readout or {}), "--readout"))
    description = ModelDescription(
        name=texts["name"],
        version=texts["version"],
        description=texts["description"],
        licence=texts["licence"],
        trained_on=texts["trained_on"]
        or describe_data(runs, pose_from, [name for name in networks if name not in runs]),
        frame=frame,
        noise=noise,
        readout=readout,
        accuracy=accuracy or {},
    )
    return save_model(out, description, networks, frames)


def _deformation_of(settings: dict[str, RunSettings]) -> DeformationSettings | LandmarkSettings:
    found = settings["deformation"]
    if not isinstance(found, DeformationSettings | LandmarkSettings):
        raise InputError("The run given as --deformation was not trained by 'deformation'.", "runs")
    return found


def _pose_of(settings: dict[str, RunSettings]) -> PoseSettings:
    found = settings["pose"]
    if not isinstance(found, PoseSettings):
        raise InputError("The run given as --pose was not trained by 'pose'.", "runs")
    return found


def _check_place(component: str, network, with_denoisers: bool) -> None:
    """Raise an InputError if a run's network is not of the kind that its place in the model asks for."""
    if component == "deformation" and isinstance(network, DeformationNet):
        return
    if component == DENOISER:
        return
    if component in DENOISERS:
        fits, wanted = isinstance(network, Denoiser), "a denoiser, trained by 'diffusion'"
    elif component == REFINEMENT:
        fits, wanted = isinstance(network, StripUNet), "trained by 'refinement'"
    else:
        flow = component == "deformation"
        channels = 3 if flow and with_denoisers else 2
        config = network.config if isinstance(network, MidlineUNet) else {}
        fits = (config.get("flow"), config.get("in_channels")) == (flow, channels)
        wanted = f"a network of {channels} input channels, trained by '{component}'"
        if flow:
            wanted += f" with{'' if with_denoisers else 'out'} the denoisers"
    if not fits:
        raise InputError(f"The run given as --{component} does not fit there: it must be {wanted}.", "runs")


def _common_frame(pose: PoseSettings, deformation: DeformationSettings | LandmarkSettings) -> dict[str, Any]:
    """Return frame of the pose and deformation networks, which must be the same."""
    frames = [_frame(pose), _frame(deformation)]
    if frames[0] != frames[1]:
        raise InputError(f"The pose and deformation runs have different frames: {frames[0]} and {frames[1]}.", "runs")
    return frames[1]


def check_refinement_frame(run: Path, frame: dict[str, Any], of: str) -> None:
    """Raise an InputError unless a run of the refinement network was trained in the frame ``of`` the network before it."""
    settings = load_run_settings(run)
    if not isinstance(settings, RefinementSettings):
        raise InputError(
            "The run given as --refinement does not fit there: it must be trained by 'refinement'.", "runs"
        )
    if _frame(settings) != frame:
        raise InputError(f"The refinement run has another frame than {of}: {_frame(settings)} and {frame}.", "runs")


def _frame(s: PoseSettings | DeformationSettings | RefinementSettings | LandmarkSettings) -> dict[str, Any]:
    return {"grid": s.grid, "pixel_mm": s.pixel_mm, "length_mm": s.frame_mm}


def describe_data(runs: dict[str, Path], pose_from: str | None = None, taken: Sequence[str] = ()) -> str:
    """Say in words what the networks of a model were trained on, from what their runs recorded.

    Args:
        runs, pose_from: as of ``export_runs``. taken: networks taken from the model ``pose_from``.

    Raises:
        InputError: it is not recorded for every run (code ``unknown-source``).
    """
    found = trained_on(run for component, run in runs.items() if component != DENOISER)
    if DENOISER in runs:
        found.add(weights_trained_on(runs[DENOISER]))
    if taken:
        model = load_model(pose_from).description
        which = f"{' and '.join(taken)} network{'s' if len(taken) > 1 else ''}"
        found.add(TrainedOn(models=[f"{which} of {model.name} {model.version} ({model.trained_on})"]))
    return found.text()


def _class_conditional(deformation: RunSettings) -> str | None:
    """Return the class-conditional denoiser that a deformation run was trained with; runs on sets with landmarks take none."""
    return getattr(deformation, "denoiser", None)


def _noise(
    deformation: DeformationSettings | LandmarkSettings, settings: dict[str, RunSettings]
) -> dict[str, Any] | None:
    """Return settings of the noise difference, None for a deformation network that was trained without."""
    given = [name for name in DENOISERS if name in settings]
    if not deformation.noise_difference:
        if given:
            raise InputError("The deformation run was trained without the denoisers; leave them out.", "runs")
        return None
    if _class_conditional(deformation):
        raise InputError("The deformation run needs the --denoiser that it was trained with.", "runs")
    if len(given) < len(DENOISERS):
        raise InputError("The deformation run needs --conditional and --unconditional.", "runs")
    noise = deformation.noise
    for name, cohort in zip(DENOISERS, ("non-mls", "all"), strict=True):
        denoiser = settings[name]
        if not isinstance(denoiser, DiffusionSettings):
            raise InputError(f"The run given as --{name} was not trained by 'diffusion' on one cohort.", "runs")
        if denoiser.cohort != cohort:
            raise InputError(f"The {name} run was trained on the cohort {denoiser.cohort!r}, not {cohort!r}.", "runs")
        if any(getattr(denoiser, key) != getattr(noise, key) for key in ("grid", "schedule", "steps")):
            raise InputError(f"The {name} run has another grid or schedule than the deformation run.", "runs")
        width_mm = deformation.grid * deformation.pixel_mm
        same_width = abs(denoiser.frame_width_mm - width_mm) < 1e-6
        if not same_width or denoiser.frame_mm != deformation.frame_mm:
            raise InputError(
                f"The {name} run has another frame ({denoiser.frame_width_mm:g} mm wide, falx {denoiser.frame_mm:g} "
                f"mm) than the deformation run ({width_mm:g} mm, {deformation.frame_mm:g} mm).",
                "runs",
            )
    return noise.model_dump() | {"ddim": _ddim(deformation.ddim)}


def _class_conditional_noise(
    denoiser: DenoiserUse, deformation: DeformationSettings | LandmarkSettings, settings: dict[str, RunSettings]
) -> dict[str, Any]:
    """Return how a class-conditional denoiser is used.

    Beside a deformation network that was trained with its noise difference it is used as it was then; beside one that was
    trained without denoisers it makes the pseudo-healthy image only, as its own run says.
    """
    with_both = any(name in settings for name in DENOISERS)
    trained_with_others = deformation.noise_difference and not _class_conditional(deformation)
    if with_both or trained_with_others:
        raise InputError(
            "--denoiser goes with a deformation run that was trained with it, or without the noise difference; leave out "
            "--conditional and --unconditional.",
            "runs",
        )
    width_mm = deformation.grid * deformation.pixel_mm
    if abs(denoiser.frame_width_mm - width_mm) > 1e-6 or denoiser.frame_mm != deformation.frame_mm:
        raise InputError("The denoiser run has another frame than the deformation run.", "runs")
    used = {"schedule": denoiser.schedule, "steps": denoiser.steps, "grid": denoiser.grid}
    if deformation.noise_difference:
        noise = deformation.noise
        if any(getattr(noise, name) != value for name, value in used.items()):
            raise InputError("The denoiser run has another grid or schedule than the deformation run.", "runs")
        return noise.model_dump() | {"ddim": denoiser.ddim}
    return {"t": denoiser.t, "seed": 0, **used, "gain": 1.0, "ddim": denoiser.ddim}


def _ddim(settings: Ddim) -> dict[str, Any]:
    """Return how pseudo-healthy slices are made; what earlier versions do not know is left out where it changes nothing."""
    before = {"own_level": False, "noises": 1, "by_difference": False}
    unknown = {name for name, value in before.items() if getattr(settings, name) == value}
    return settings.model_dump(exclude=unknown)


def read_json_object(path: Path | None) -> dict:
    """Read a file that holds a JSON object; empty without a file. InputError if it holds anything else."""
    if path is None:
        return {}
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is not a readable JSON file ({error}).", "json") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} must hold a JSON object.", "json")
    return content
