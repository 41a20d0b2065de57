"""Settings as a run folder keeps them (``settings.yaml``), those of earlier versions included."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from midlineshift_training.trainers.run_folder.atomic_write import write_text_atomic
from midlineshift_training.trainers.settings.class_conditional import ClassConditionalSettings
from midlineshift_training.trainers.settings.common import RunSettings
from midlineshift_training.trainers.settings.diffusion import DiffusionSettings
from midlineshift_training.trainers.settings.landmarks import LandmarkSettings
from midlineshift_training.trainers.settings.merge import checked
from midlineshift_training.trainers.settings.midline import DeformationSettings, PoseSettings, RefinementSettings
from MidlineShiftLogic.errors import InputError

FILE = "settings.yaml"
KINDS: dict[str, type[RunSettings]] = {
    "pose": PoseSettings,
    "diffusion": DiffusionSettings,
    "class-conditional": ClassConditionalSettings,
    "deformation": DeformationSettings,
    "landmarks": LandmarkSettings,
    "refinement": RefinementSettings,
}


def save_run_settings(run: Path, settings: RunSettings) -> None:
    """Write the settings of a run into its folder."""
    text = yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False)
    write_text_atomic(run / FILE, text)


def load_run_settings(run: Path) -> RunSettings:
    """Load the settings that a run was trained with; what its version did not have yet gets its default.

    Raises:
        InputError: the folder is no run, or its settings cannot be read.
    """
    try:
        stored = yaml.safe_load((run / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        stored = None
    if not isinstance(stored, dict):
        raise InputError(f"{run} is not a run folder: it has no usable {FILE}.", "run")
    kind = _kind_of(run, stored)
    known = set(kind.model_fields) | {"fineness"}
    return checked(kind, {name: value for name, value in stored.items() if name in known})


def _kind_of(run: Path, stored: dict[str, Any]) -> type[RunSettings]:
    """Find the task of a run. Earlier versions did not write it, but it shows in the network and in the settings."""
    if stored.get("task") in KINDS:
        return KINDS[stored["task"]]
    try:
        described = json.loads((run / "network.json").read_text(encoding="utf-8"))
        network, flow = described["kind"], described["config"].get("flow")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        network, flow = None, None
    if network == "adm" or "cohort" in stored:
        return DiffusionSettings
    if network == "strip_unet":
        return RefinementSettings
    if network == "voxelmorph" or "labelled_share" in stored:
        return LandmarkSettings
    return PoseSettings if flow is False or stored.get("broad") else DeformationSettings
