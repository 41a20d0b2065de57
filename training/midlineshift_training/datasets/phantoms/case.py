"""One phantom: drawn from (seed, index), rendered, labelled, written.

File ``NNNNN.npz`` (n slices, canonical radiological order: slice 0 lowest, row 0 anterior, column 0 patient's right):

* ``hu`` (n, 256, 256) int16; ``pixel_mm``, ``thickness_mm`` float; ``heights_mm`` (n,) along the stack's normal.
* ``displacement_px``, ``inverse_px`` (n, 2, 64, 64) float16: channel 0 rows, 1 columns, in pixels of the slice, at the nodes
  linspace(0, 255, 64). ``displacement_px`` points from where tissue is to where it would be in the unshifted head.
* ``inside`` (n, 128, 128) uint8: inside the inner table; ``lesion`` (n, 128, 128) uint8 codes (``lesions.model``);
  ``x_template`` (n, 128, 128) float16 mm, NaN outside the skull. A block is 2 x 2 pixels.
* ``line_angle`` a (radians), ``line_offset`` (n,): ideal midline normal . (column, row) = offset in pixels, with the normal
  (cos a, sin a) toward the patient's left; anterior to posterior is (-sin a, cos a).
* ``landmarks`` (n, 4, 2) float32 (column, row): anterior falx, posterior falx, shifted, ideal; NaN without a midline.
* ``midline_shift_mm`` (n, 41): signed deviation (+ left) at the fractions linspace(0.10, 0.90, 41) of the ideal midline.
* ``signed_shift_mm`` (n,) at "shifted"; ``height_mm`` (n,) template z at the septum; ``has_midline`` (n,) bool.
* ``twin_hu`` (n, 256, 256) int16, where asked for: the unshifted twin, with the same noise (``twins``). ``clean_hu``,
  ``clean_twin_hu``, ``clean_straight_hu`` beside it, to compare anatomy: without noise ``hu``, the twin, and the twin whose
  ventricles and sulci are as empty as in ``hu``.
* ``case_shift_mm``: signed shift of the case; ``meta``: JSON string with how the case was made.
"""

from __future__ import annotations

import copy
import json
import os
import time
import uuid
import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np

from midlineshift_training.datasets.phantoms import (
    acquisition,
    brain,
    pose,
    render,
    skull,
    subject,
    truth,
    variation,
)
from midlineshift_training.datasets.phantoms.lesions import draw as lesions
from midlineshift_training.datasets.phantoms.twins import without_shift

BLOCK = 2  # pixels of a slice along the edge of one block of the maps


def generate(seed: int, index: int, twin: bool = False) -> dict[str, np.ndarray]:
    """Return arrays of case ``index`` of ``seed``; the same whatever else is generated.

    Args:
        twin: also render the head's unshifted twin (``twins``), as ``twin_hu``, and what evaluation compares with; the
            other arrays do not change.
    """
    started = time.perf_counter()
    rng = np.random.default_rng([seed, index])
    who = subject.draw(rng)
    natural = variation.draw(rng, who)
    disease = lesions.draw(rng, who, natural)
    scan = pose.draw(rng, who)
    twin_rng = copy.deepcopy(rng)
    brain_hu = brain.render(rng, who, disease)
    skull_hu = skull.render(rng, who)
    slices = render.render(scan, who, natural, disease, brain_hu, skull_hu)
    acquisition_rng = copy.deepcopy(rng)
    hu, settings = acquisition.acquire(rng, slices.hu, slices.depth, scan, low_dose=who.young)
    further = {}
    if twin:
        opened, straight = (
            render.render(scan, who, natural, one, brain.render(copy.deepcopy(twin_rng), who, one), skull_hu)
            for one in (without_shift(disease), without_shift(disease, opened=False))
        )
        stored = {
            "twin_hu": (opened, True),
            "clean_hu": (slices, False),
            "clean_twin_hu": (opened, False),
            "clean_straight_hu": (straight, False),
        }
        for name, (one, noise) in stored.items():
            again = copy.deepcopy(acquisition_rng)
            further[name], _ = acquisition.acquire(again, one.hu, one.depth, scan, low_dose=who.young, noise=noise)
    labels = truth.midlines(scan, natural, slices.x_nodes)
    displacement, inverse = truth.displacement_fields(scan, slices.displacement)

    inside = _blocks(slices.depth) > 0
    lesion = slices.lesion[:, ::BLOCK, ::BLOCK]
    gaps = np.diff(scan.heights_mm).mean()
    block_ml = (BLOCK * scan.pixel_mm) ** 2 * gaps / 1000
    volumes = {int(code): round(float((lesion == code).sum() * block_ml), 2) for code in np.unique(lesion) if code}
    meta = {
        "seed": seed,
        "case": index,
        "kinds": disease.kinds,
        "side": disease.side,
        "target_mm": disease.target_mm,
        "brain": who.brain,
        "folding": who.folding,
        "white_hu": who.white_hu,
        "grey_hu": who.grey_hu,
        "surgery": None if who.surgery is None else ("craniectomy" if who.surgery.removed else "craniotomy"),
        "age": who.age,
        "scale": [round(float(s), 4) for s in who.scale],
        "atrophy": who.atrophy,
        "lesion_ml": volumes,
        "trapped": disease.trapped,
        "intraventricular": disease.intraventricular is not None,
        "subarachnoid": disease.subarachnoid is not None,
        "parafalcine": disease.parafalcine is not None,
        "drain": disease.drain is not None,
        "angles_deg": scan.angles,
        **settings,
        "seconds": round(time.perf_counter() - started, 3),
    }
    return {
        "hu": hu,
        "pixel_mm": np.array(scan.pixel_mm, np.float64),
        "thickness_mm": np.array(scan.thickness_mm, np.float64),
        "heights_mm": scan.heights_mm,
        "displacement_px": displacement.astype(np.float16),
        "inverse_px": inverse.astype(np.float16),
        "inside": inside.astype(np.uint8),
        "lesion": lesion,
        "x_template": _blocks(slices.x_template).astype(np.float16),
        **labels,
        **further,
        "meta": np.array(json.dumps(meta)),
    }


def _blocks(volume: np.ndarray) -> np.ndarray:
    """Average (n, H, W) over blocks; NaN where any pixel is."""
    n, height, width = volume.shape
    return volume.reshape(n, height // BLOCK, BLOCK, width // BLOCK, BLOCK).mean((2, 4))


def path_of(folder: Path, index: int) -> Path:
    """Return the path of a case."""
    return folder / f"{index:05d}.npz"


def _save(stream: BinaryIO, arrays: dict[str, np.ndarray]) -> None:
    """Like ``np.savez_compressed``, with zlib's fastest level: a third of the time for a few per cent more bytes."""
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array))


def write(folder: Path, seed: int, index: int, twin: bool = False) -> Path:
    """Generate a case into its file, which appears whole or not at all; a finished file is kept."""
    path = path_of(folder, index)
    if path.exists():
        return path
    # machines that share the folder have the same process ids
    partial = path.with_suffix(f".{uuid.uuid4().hex}.part")
    try:
        with partial.open("wb") as stream:
            _save(stream, generate(seed, index, twin) if twin else generate(seed, index))
        try:
            os.replace(partial, path)
        except FileNotFoundError:
            if not path.exists():  # another writer of the same case finished and cleared up
                raise
    finally:
        partial.unlink(missing_ok=True)
    return path


def clear_partial(folder: Path) -> None:
    """Remove what killed writers left of cases that have been finished since."""
    for partial in folder.glob("[0-9]*.*.part"):
        if path_of(folder, int(partial.name.partition(".")[0])).exists():
            partial.unlink(missing_ok=True)
