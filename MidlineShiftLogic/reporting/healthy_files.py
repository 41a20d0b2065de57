"""``pseudo_healthy.npz`` and ``pseudo_healthy.png``: the pseudo-healthy image of a case, for programs and for people."""

from __future__ import annotations

import json
import math
import zipfile
from pathlib import Path

import numpy as np

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.pseudo_healthy import PseudoHealthy
from MidlineShiftLogic.reporting.case_folder import PSEUDO_HEALTHY_FILES, case_folder
from MidlineShiftLogic.reporting.figures import drawing

FORMAT = "midlineshift-pseudo-healthy/1"
TILE_WIDTH, TILE_HEIGHT, HEADER, DPI = 2.15, 2.6, 0.6, 100
PAIRS_A_ROW = 3
NOTE = "Painted by the model's denoisers: not a scan, nothing is measured on it · Research use only"


def write_healthy_case(out: Path, case: str, ct: HeadCT, healthy: PseudoHealthy) -> Path:
    """Write both files into ``out/case``, where a measurement of the case stays; all or none.

    Raises:
        InputError: ``out/case`` exists and is not a result of ours.
    """
    with case_folder(out, case, replaced=PSEUDO_HEALTHY_FILES) as folder:
        write_healthy(folder / "pseudo_healthy.npz", healthy)
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
    """What ``write_healthy`` wrote.

    Raises:
        InputError: the file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            notes = json.loads(str(stored["notes"]))
            slices, tenths, brain = stored["slices"], stored["tenths_hu"], stored["brain"]
        if notes["format"] != FORMAT or tenths.ndim != 3 or tenths.shape != brain.shape or len(slices) != len(brain):
            raise ValueError(f"{notes['format']}, {tenths.shape}, {brain.shape}")
        return PseudoHealthy(slices, tenths.astype(np.float32) / 10, brain.astype(np.float32) / 255, notes["model"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"The pseudo-healthy image in {path} cannot be read ({error}); make it again.", "healthy"
        ) from None


def draw_healthy(path: Path, ct: HeadCT, healthy: PseudoHealthy, case: str) -> None:
    """Draw pairs (PNG): each slice as scanned, and beside it pseudo-healthy; lowest first."""
    count = len(healthy.slices)
    across = min(PAIRS_A_ROW, max(2, count))  # the header is two pairs wide
    rows = math.ceil(count / across)
    width, height = 2 * across * TILE_WIDTH, rows * TILE_HEIGHT + HEADER
    figure = drawing.new_figure(width, height, DPI)
    box = max(
        (drawing.head_box(ct, index, TILE_WIDTH / TILE_HEIGHT) for index in healthy.slices), key=lambda b: b[1] - b[0]
    )
    gap = 0.03
    for number, index in enumerate(healthy.slices):
        row, pair = divmod(number, across)
        scan = ct.hu[index]
        for side, picture in enumerate((scan, healthy.over(number, scan))):
            place = (
                ((2 * pair + side) * TILE_WIDTH + gap) / width,
                ((rows - 1 - row) * TILE_HEIGHT + gap) / height,
                (TILE_WIDTH - 2 * gap) / width,
                (TILE_HEIGHT - 2 * gap) / height,
            )
            axes = figure.add_axes(place)
            drawing.show_slice(axes, ct, picture, box)
            drawing.draw_sides(axes, size=8)
            title = "pseudo-healthy" if side else f"{index}  as scanned"
            axes.text(
                0.03, 0.97, title, transform=axes.transAxes, ha="left", va="top", fontsize=8, color=drawing.TEXT_COLOUR,
                path_effects=drawing.halo(2.2),
            )  # fmt: skip
    edge, faint = 0.08 / width, {"fontsize": 8, "va": "center", "color": drawing.FAINT_TEXT_COLOUR}
    model = drawing.legible(f"{healthy.model.get('name', '')} {healthy.model.get('version', '')}".strip(), 40)
    head = f"{drawing.legible(case, 34)}: pseudo-healthy image by {model}"
    drawing.write_text(figure, edge, 1 - 0.2 / height, head, fontsize=11, fontweight="bold", va="center")
    drawing.write_text(figure, edge, 1 - 0.43 / height, NOTE, **faint)
    figure.savefig(path, format="png")
