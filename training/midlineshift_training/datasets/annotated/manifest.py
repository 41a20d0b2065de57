"""The manifest of a converted set: ``set.json`` beside the folder ``cases`` of compressed scans.

``manifest.schema.json`` is its JSON schema; ``docs/how-to/train-on-your-scans.md`` explains it. Scans are files of
``MidlineShiftLogic.headct.npz``: they keep the place of every slice, and ``midlineshift measure`` reads them too.
"""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np

from midlineshift_training.datasets.annotated.case import AnnotatedCase, SliceDetails
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.text import parse_json

FORMAT = "midlineshift-set/1"
FILE = "set.json"
CASES = "cases"


def schema() -> dict[str, Any]:
    """Return the JSON schema of ``set.json``."""
    text = (
        resources.files("midlineshift_training.datasets.annotated")
        .joinpath("manifest.schema.json")
        .read_text(encoding="utf-8")
    )
    return json.loads(text)


def is_set(folder: Path) -> bool:
    """Return whether a folder holds a converted set."""
    return (folder / FILE).is_file()


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return checked content of a set's ``set.json``. InputError names the first thing that is wrong with it."""
    path = folder / FILE
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
        jsonschema.validate(content, schema())
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}); 'midlineshift-train convert' makes a set of your scans.",
            "manifest",
        ) from None
    except ValueError as error:
        raise InputError(f"{path} is not valid JSON ({error}).", "manifest") from None
    except jsonschema.ValidationError as error:
        place = "/".join(map(str, error.absolute_path)) or "its top level"
        raise InputError(f"{path} is not a set of this version: {place}: {error.message[:300]}.", "manifest") from None
    names = [case["name"] for case in content["cases"]]
    if len(set(names)) < len(names):
        raise InputError(f"{path} has two cases of one name.", "manifest")
    return content


def read_cases(folder: Path) -> list[AnnotatedCase]:
    """Return cases of a converted set. InputError if the manifest is wrong or a scan is missing."""
    cases = [_case(folder, entry) for entry in read_manifest(folder)["cases"]]
    missing = [str(case.path) for case in cases if not case.path.is_file()]
    if missing:
        raise InputError(
            f"{folder} lacks {len(missing)} of its scans, first {missing[0]}; convert it again.", "no-file"
        )
    return cases


def _case(folder: Path, entry: dict[str, Any]) -> AnnotatedCase:
    return AnnotatedCase(
        name=entry["name"],
        patient=entry["patient"],
        path=folder / entry["file"],
        pixel_spacing=tuple(entry["spacing_mm"][1:]),
        split=entry["split"],
        shifted=entry["shifted"],
        case_mm=entry["shift_mm"],
        landmarks={one["slice"]: np.array(one["points_px"], float) for one in entry["landmarks"]},
        weight=entry["weight"],
        details={one["slice"]: _details(one) for one in entry["landmarks"]},
        fold=entry.get("fold"),
        pose=entry["pose"],
    )


def _details(entry: dict[str, Any]) -> SliceDetails:
    midline = {name: tuple(point) for name, point in entry.get("midline_px", {}).items()}
    return SliceDetails(midline, entry.get("confidence", 1.0), entry.get("structure", ""))


def _landmarks_entry(index: int, points: np.ndarray, details: SliceDetails | None) -> dict[str, Any]:
    """Return what a manifest says of a labelled slice; what is not known is left out."""
    entry: dict[str, Any] = {"slice": int(index), "points_px": np.round(points, 4).tolist()}
    if details is not None:
        if details.midline:
            entry["midline_px"] = {name: [round(value, 4) for value in at] for name, at in details.midline.items()}
        if details.confidence != 1:
            entry["confidence"] = round(details.confidence, 4)
        if details.structure:
            entry["structure"] = details.structure
    return entry


def entry_of(case: AnnotatedCase, shape: tuple[int, ...], slice_mm: float, digest: str) -> dict[str, Any]:
    """Return the manifest's entry of a case. ``slice_mm``: mean distance of its slices; ``digest``: SHA-256 of its file."""
    return {
        "name": case.name,
        "patient": case.patient,
        "split": case.split or "train",
        "file": f"{CASES}/{case.path.name}",
        "sha256": digest,
        "shape": list(shape),
        "spacing_mm": [round(slice_mm, 4), *(float(step) for step in case.pixel_spacing)],
        "shifted": case.shifted,
        "shift_mm": case.case_mm,
        "landmarks": [
            _landmarks_entry(index, points, case.details.get(index)) for index, points in sorted(case.landmarks.items())
        ],
        "weight": case.weight,
        "pose": case.pose,
    } | ({} if case.fold is None else {"fold": case.fold})
