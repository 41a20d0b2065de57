"""Write and read the pseudo-healthy image of a case: ``pseudo_healthy.npz`` for programs, ``pseudo_healthy.png`` for people."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.pseudo_healthy import PseudoHealthy
from MidlineShiftLogic.reporting.case_folder import PSEUDO_HEALTHY_FILES, case_folder
from MidlineShiftLogic.text import parse_json

FORMAT = "midlineshift-pseudo-healthy/1"


def write_healthy_case(out: Path, case: str, ct: HeadCT, healthy: PseudoHealthy) -> Path:
    """Write both files into ``out/case``, where a measurement of the case stays; all or none.

    Raises:
        InputError: ``out/case`` exists and is not a result of midlineshift.
    """
    with case_folder(out, case, replaced=PSEUDO_HEALTHY_FILES) as folder:
        write_healthy(folder / "pseudo_healthy.npz", healthy)
        from MidlineShiftLogic.reporting.figures.pseudo_healthy import draw_healthy

        draw_healthy(folder / "pseudo_healthy.png", ct, healthy, case)
    return out / case


def write_healthy(path: Path, healthy: PseudoHealthy) -> None:
    """Write ``slices`` (k,), ``hu`` (k, row, column) in 0.1 HU, ``brain`` (k, row, column) in 1/255, and who made it."""
    notes = json.dumps({"format": FORMAT, "model": healthy.model, "research_use_only": True})
    tenths = np.rint(healthy.hu * 10).astype(np.int16)
    np.savez(
        path,
        notes=notes,
        slices=np.asarray(healthy.slices, np.int32),
        tenths_hu=tenths,
        brain=np.rint(healthy.brain * 255).astype(np.uint8),
    )


def read_healthy(path: Path) -> PseudoHealthy:
    """Read what ``write_healthy`` wrote.

    Raises:
        InputError: the file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            notes = parse_json(str(stored["notes"]))
            slices, tenths, brain = stored["slices"], stored["tenths_hu"], stored["brain"]
        if notes["format"] != FORMAT or tenths.ndim != 3 or tenths.shape != brain.shape or len(slices) != len(brain):
            raise ValueError(f"{notes['format']}, {tenths.shape}, {brain.shape}")
        return PseudoHealthy(slices, tenths.astype(np.float32) / 10, brain.astype(np.float32) / 255, notes["model"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"The pseudo-healthy image in {path} cannot be read ({error}); make it again.", "healthy"
        ) from None
