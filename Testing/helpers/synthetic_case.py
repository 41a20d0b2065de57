"""A drawn head with a known shift, its measurement as the pipeline would give it, and a stand-in for the pipeline.

The head is an ellipse of brain in a skull with a falx and two ventricles; the shift is a smooth bump whose field is
known in closed form, so pictures and files can be checked without networks.
"""

from __future__ import annotations

import sys
import time
import types
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import MidlineShiftLogic
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.results import Measurement, SliceMeasurement
from MidlineShiftLogic.quality import Quality

SPACING = (5.0, 0.8, 0.9)


@dataclass(frozen=True)
class DenseResult:
    warped_hu: np.ndarray
    displacement_mm: np.ndarray

    def of_slice(self, index: int) -> DenseResult:
        return self


def drawn_head(shift_mm=8.0, shape=(24, 250, 200), spacing=SPACING, noise_hu=2.0, seed=0) -> HeadCT:
    """``HeadCT`` of the drawn head; ``shift_mm`` positive toward the patient's left at its middle slice."""
    n, rows, columns = shape
    field = bump(shape, spacing, shift_mm)
    y, x = _plane(shape, spacing)
    rng = np.random.default_rng(seed)
    volume = np.empty(shape, dtype=np.float32)
    for k in range(n):
        size = np.sqrt(max(0.05, 1 - (2 * (k - 0.42 * n) / (1.35 * n)) ** 2))
        volume[k] = _normal_slice(x, y, size, x + field[k], k / n)
    volume += rng.normal(0, noise_hu, shape).astype(np.float32)
    origins = np.zeros((n, 3))
    origins[:, :2] = -0.5 * columns * spacing[2], -0.5 * rows * spacing[1]
    origins[:, 2] = np.arange(n) * spacing[0]
    return HeadCT(
        hu=volume,
        origins=origins,
        column_axis=np.array([1.0, 0, 0]),
        row_axis=np.array([0, 1.0, 0]),
        pixel_spacing=(spacing[1], spacing[2]),
        thickness=np.full(n, spacing[0]),
        source={"format": "drawn"},
    )


def bump(shape, spacing, shift_mm: float) -> np.ndarray:
    """(slice, row, column) mm that tissue must go along columns to be back at its normal place."""
    y, x = _plane(shape, spacing)
    z = (np.arange(shape[0]) - 0.55 * shape[0]) * spacing[0]
    in_plane = np.exp(-((x / 34) ** 2) - ((y + 12) / 42) ** 2)
    return -shift_mm * np.exp(-((z / 28) ** 2))[:, None, None] * in_plane


def measured(ct: HeadCT, shift_mm=8.0, case_id="drawn", quality=()) -> tuple[Measurement, DenseResult]:
    """What the pipeline would say of ``drawn_head``."""
    n, rows, columns = ct.hu.shape
    row_mm, column_mm = ct.pixel_spacing
    spacing = (5.0, row_mm, column_mm)
    field = bump(ct.hu.shape, spacing, shift_mm)
    middle = (columns - 1) / 2
    slices = []
    used = range(max(1, n // 4), max(2, n - n // 6))
    displacement = np.zeros((n, 2, rows, columns), np.float16)
    warped = ct.hu.copy()
    for k in used:
        displacement[k, 1] = field[k]
        along = np.linspace(0.08, 0.92, 80) * (rows - 1)
        shifts = np.array([-field[k, round(r), round(middle)] for r in along])
        level = round(0.5 * rows - 12 / row_mm)
        shift = -float(field[k, level, round(middle)])
        pixels = {
            "anterior_falx": np.array([middle, along[0]]),
            "posterior_falx": np.array([middle, along[-1]]),
            "shifted": np.array([middle + shift / column_mm, level]),
            "ideal": np.array([middle, level]),
        }
        source = np.arange(columns)
        for r in range(rows):
            back = np.interp(source, source + field[k, r] / column_mm, ct.hu[k, r])
            warped[k, r] = back
        slices.append(
            SliceMeasurement(
                index=k,
                z_mm=float(ct.heights[k]),
                signed_shift_mm=shift,
                landmarks_px=pixels,
                landmarks_lps_mm={name: ct.to_lps(k, point) for name, point in pixels.items()},
                midline_px=np.stack([middle + shifts / column_mm, along], axis=-1),
                midline_shift_mm=shifts,
                height_mm=float(ct.heights[k] - ct.heights[n // 2]),
                confidence=0.9,
                in_case_window=n // 3 <= k <= 2 * n // 3,
                source_slices=(2 * k, 2 * k + 1),
            )
        )
    largest = max(slices, key=lambda one: abs(one.signed_shift_mm))
    measurement = Measurement(
        case_id=case_id,
        signed_shift_mm=largest.signed_shift_mm,
        slice=largest.index,
        slices=tuple(slices),
        quality=(*ct.quality, *quality),
        model={"name": "fake", "version": "0"},
        device="cpu",
        seconds=0.1,
        input={"shape": list(ct.hu.shape)},
    )
    return measurement, DenseResult(warped, displacement)


WARNING = Quality("tilt", "warning", "The head is turned by 21 degrees.")


def install_fake_pipeline(set_module=sys.modules.__setitem__, shift_mm=8.0, step_seconds=0.0, opened=None) -> None:
    """Put a stand-in for ``load_model`` and ``measure_ct`` where the API imports them; reading stays the real one.

    Args:
        set_module: ``sys.modules.__setitem__`` or pytest's ``monkeypatch`` bound to it, to be undone.
        step_seconds: how long each slice pretends to take.
        opened: list that gets each model choice that is loaded.
    """
    pipeline = types.ModuleType("MidlineShiftLogic.inference.pipeline")

    def measure_ct(ct, model, device, progress=None, authors_readout=False, cancelled=None, case_id=""):
        for k in range(ct.n_slices):
            time.sleep(step_seconds)
            if progress:
                progress(k + 1, ct.n_slices, "measuring")
        measurement, dense = measured(ct, shift_mm, case_id)
        return replace(measurement, input={}), dense  # the call itself describes the scan

    pipeline.measure_ct = measure_ct
    pipeline.DenseResult = DenseResult
    set_module("MidlineShiftLogic.inference.pipeline", pipeline)

    models = types.ModuleType("MidlineShiftLogic.models")
    models.__path__ = [str(Path(MidlineShiftLogic.__file__).parent / "models")]  # its modules stay the real ones

    def load_model(name_or_dir=None, device="cpu"):
        if opened is not None:
            opened.append(name_or_dir)
        return types.SimpleNamespace(provenance={"name": "fake", "version": "0"})

    models.load_model = load_model
    set_module("MidlineShiftLogic.models", models)


def _plane(shape, spacing):
    y = (np.arange(shape[1]) - 0.5 * (shape[1] - 1)) * spacing[1]
    x = (np.arange(shape[2]) - 0.5 * (shape[2] - 1)) * spacing[2]
    return np.meshgrid(y, x, indexing="ij")


def _normal_slice(x, y, size, moved_x, level) -> np.ndarray:
    head = np.sqrt((x / (76 * size)) ** 2 + (y / (94 * size)) ** 2)
    inside = np.sqrt((x / (69 * size)) ** 2 + (y / (87 * size)) ** 2)
    picture = np.full(x.shape, -1000.0, dtype=np.float32)
    picture[head < 1.07] = 30
    picture[head < 1.0] = 1100
    brain = inside < 1.0
    ripple = 4 * np.sin(moved_x / 4.1) * np.sin(y / 5.3) * (inside > 0.75)
    picture[brain] = (31 + ripple)[brain]
    picture[brain & (np.abs(moved_x) < 1.2) & (np.abs(y + 5) > 30 * size)] = 52
    if 0.3 < level < 0.75:
        for side in (-1, 1):
            horn = ((moved_x - side * 7) / 5.0) ** 2 + ((y + 10 + 0.4 * np.abs(moved_x)) / 20) ** 2 < 1
            picture[brain & horn] = 7
    return picture
