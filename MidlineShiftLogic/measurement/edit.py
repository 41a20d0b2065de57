"""A reader's corrections: landmarks moved, slices added or pinned, corrections taken back. Pure functions on ``Measurement``.

A slice's number is computed again by the function that made it (``distance.signed_shift``). The case's number follows
the reader from the first edit on (``reader_case``, docs/adr): it rises with every landmark that is moved outward, which
a quantile over slices does not. What was estimated for the model's own number (interval, probability) does not hold for
an edited one and is removed; so is a review, since it was of other numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, Protocol

import numpy as np

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.measurement.bent_midline import bend_through
from MidlineShiftLogic.measurement.distance import LEFT, CaseRule, ideal_point, signed_shift
from MidlineShiftLogic.measurement.results import Measurement, SliceMeasurement

Space = Literal["lps", "px"]


class StackGeometry(Protocol):
    """What edits need of the scan; ``HeadCT`` has it."""

    @property
    def pixel_spacing(self) -> tuple[float, float]:
        """(row spacing, column spacing) mm."""

    @property
    def source_slices(self) -> tuple[tuple[int, ...], ...]:
        """For each slice, the slices of the file that it was made of."""

    @property
    def n_slices(self) -> int:
        """Number of slices."""

    @property
    def heights(self) -> np.ndarray:
        """(slice,) mm along the normal of the slices."""

    def to_lps(self, index: int, points: np.ndarray) -> np.ndarray:
        """Convert (..., 2) column and row of a slice to (..., 3) LPS mm."""

    def to_pixels(self, index: int, points: np.ndarray) -> np.ndarray:
        """Convert (..., 3) LPS mm to (..., 2) column and row of a slice."""


def move_landmarks(
    measurement: Measurement,
    ct: StackGeometry,
    index: int,
    landmarks: Mapping[str, np.ndarray],
    original: Measurement | None = None,
    space: Space = "lps",
) -> Measurement:
    """Move some landmarks of one slice.

    ``ideal`` is always the foot of the perpendicular. To move it is to move the ideal line: both falx attachments
    go along, by the part of the move that is across the line. If other landmarks are given too, it is not looked at.

    Args:
        measurement: where the slice ``index`` was measured.
        ct: geometry of the scan.
        index: slice of the canonical stack.
        landmarks: name (``LANDMARK_NAMES``) -> new place; those not given stay. Points off the slice's plane are
            projected on it along the normal.
        original: the model's own measurement. The midline is bent from its midline, so that the result depends on where
            the landmarks are and not on how they were dragged there; ``measurement`` if None.
        space: ``"lps"``: (3,) LPS mm; ``"px"``: (2,) (column, row) of the canonical slice.

    Raises:
        InputError: the slice has no landmarks, a name is unknown, or the falx attachments coincide.
    """
    old = slice_of(measurement, index)
    if old is None:
        raise InputError(f"Slice {index} has no landmarks to move.", "edit")
    unknown = set(landmarks) - set(old.landmarks_px)
    if unknown:
        raise InputError(f"There is no landmark called {sorted(unknown)[0]!r}.", "edit")
    mm = _mm_per_pixel(ct)
    moved = {name: np.array(point, float) * mm for name, point in old.landmarks_px.items()}
    for name, point in landmarks.items():
        moved[name] = (ct.to_pixels(index, point) if space == "lps" else np.asarray(point, float)) * mm
    if set(landmarks) == {"ideal"}:
        across = moved["ideal"] - _foot(moved["anterior_falx"], moved["posterior_falx"], moved["ideal"])
        for name in ("anterior_falx", "posterior_falx"):
            moved[name] = moved[name] + across
    before = old if original is None else slice_of(original, index)
    midline = None if before is None else before.midline_px * mm
    return _with_slice(measurement, _recompute(old, ct, moved, midline))


def add_slice(
    measurement: Measurement,
    ct: StackGeometry,
    index: int,
    landmarks: Mapping[str, np.ndarray] | None = None,
    space: Space = "lps",
) -> Measurement:
    """Put landmarks on a slice that had none, marked as edited.

    Args:
        index: slice of the canonical stack.
        landmarks: at least the three of ``anterior_falx``, ``posterior_falx`` and ``shifted``; if None they start
            where the nearest measured slices have them (interpolated by height, or as the nearest beyond the ends).
        space: of ``landmarks``, as for ``move_landmarks``.

    Raises:
        InputError: the slice has landmarks already or is not in the stack, no slice was measured, or a landmark is
            missing or the falx attachments coincide.
    """
    if not 0 <= index < ct.n_slices:
        raise InputError(f"There is no slice {index}; the scan has {ct.n_slices}.", "edit")
    if slice_of(measurement, index) is not None:
        raise InputError(f"Slice {index} has landmarks already.", "edit")
    if not measurement.slices:
        raise InputError("No slice of this scan was measured, so there is nothing to add to.", "edit")
    z = float(ct.heights[index])
    mm = _mm_per_pixel(ct)
    if landmarks is None:
        plane = _from_neighbours(measurement.slices, z, mm)
    else:
        missing = {"anterior_falx", "posterior_falx", "shifted"} - set(landmarks)
        if missing:
            raise InputError(f"The landmark {sorted(missing)[0]!r} is missing.", "edit")
        plane = {
            name: (ct.to_pixels(index, point) if space == "lps" else np.asarray(point, float)) * mm
            for name, point in landmarks.items()
        }
    height = _head_height(measurement.slices, z)
    low, high = (measurement.case_rule or CaseRule()).window_mm
    blank = SliceMeasurement(
        index=index,
        z_mm=z,
        signed_shift_mm=0.0,
        landmarks_px={},
        landmarks_lps_mm={},
        midline_px=np.empty((0, 2)),
        midline_shift_mm=np.empty(0),
        height_mm=height,
        confidence=1.0,  # a reader says that it can be read
        in_case_window=low <= height <= high,
        source_slices=tuple(ct.source_slices[index]) if ct.source_slices else (),
    )
    return _with_slice(measurement, _recompute(blank, ct, plane, None))


def pin_slice(measurement: Measurement, index: int) -> Measurement:
    """Return the measurement with one slice chosen by the reader to stand for the case.

    Pins of other slices stay: the largest of the slices that the reader edited or pinned stands for the case.

    Raises:
        InputError: the slice has no landmarks.
    """
    one = slice_of(measurement, index)
    if one is None:
        raise InputError(f"Slice {index} has no landmarks; add them first.", "edit")
    return _with_slice(measurement, replace(one, pinned=True))


def unpin_slice(measurement: Measurement, original: Measurement, index: int) -> Measurement:
    """Return the measurement with the pin of one slice taken away; ``original`` where nothing of the reader's is left.

    Raises:
        InputError: the slice has no landmarks.
    """
    one = slice_of(measurement, index)
    if one is None:
        raise InputError(f"Slice {index} has no landmarks and so no pin.", "edit")
    kept = [replace(each, pinned=False) if each.index == index else each for each in measurement.slices]
    if not any(each.edited or each.pinned for each in kept):
        return original
    return _with_slices(measurement, kept)


def restore(measurement: Measurement, original: Measurement, index: int | None = None) -> Measurement:
    """Restore the model's own measurement of one slice (removed if a reader had added it), or of all with ``index`` None.

    Where no edit is left the result is ``original`` itself, with its interval.
    """
    if index is None:
        return original
    before = slice_of(original, index)
    kept = [one for one in measurement.slices if one.index != index] + ([before] if before is not None else [])
    if not kept or not any(one.edited or one.pinned for one in kept):
        return original
    return _with_slices(measurement, kept)


def reader_case(slices: Sequence[SliceMeasurement], model_slice: int | None) -> SliceMeasurement:
    """Choose the slice that stands for the case once a reader has edited or pinned one.

    It is the one with the largest shift, to either side, of the slices that the reader edited or pinned. Until a slice is
    pinned, the slice that the model's own rule chose takes part too. So the number never falls when a landmark is moved
    outward, whichever slice it is on, and it falls when the reader corrects the model's slice inward or pins another.

    Args:
        slices: at least one of them edited or pinned.
        model_slice: index of the slice that the model's rule chose; None where that is not known.
    """
    with_model = not any(one.pinned for one in slices)
    candidates = [
        one for one in slices if one.edited or one.pinned or (with_model and one.index == model_slice)
    ]  # fmt: skip
    return max(candidates, key=lambda one: (abs(one.signed_shift_mm), -one.index))


def slice_of(measurement: Measurement, index: int) -> SliceMeasurement | None:
    """Return the measured slice ``index`` of the stack, or None."""
    return next((one for one in measurement.slices if one.index == index), None)


def _mm_per_pixel(ct: StackGeometry) -> np.ndarray:
    row_mm, column_mm = ct.pixel_spacing
    return np.array([column_mm, row_mm])


def _foot(anterior: np.ndarray, posterior: np.ndarray, point: np.ndarray) -> np.ndarray:
    try:
        return ideal_point(anterior, posterior, point)
    except ValueError as error:
        raise InputError("The two falx attachments are on one another; move one of them.", "edit") from error


def _recompute(
    one: SliceMeasurement, ct: StackGeometry, plane: dict[str, np.ndarray], midline: np.ndarray | None
) -> SliceMeasurement:
    """Return ``one`` with its landmarks at ``plane`` (plane mm) and everything that follows from them.

    Args:
        midline: (k, 2) plane mm, the polyline to bend; a straight one if None.
    """
    anterior, posterior, shifted = (plane[name] for name in ("anterior_falx", "posterior_falx", "shifted"))
    plane = plane | {"ideal": _foot(anterior, posterior, shifted)}
    mm = _mm_per_pixel(ct)
    pixels = {name: point / mm for name, point in plane.items()}
    curve, deviation = bend_through(midline, anterior, posterior, shifted)
    return replace(
        one,
        signed_shift_mm=float(signed_shift(anterior, posterior, shifted, LEFT)),
        landmarks_px=pixels,
        landmarks_lps_mm={name: ct.to_lps(one.index, point) for name, point in pixels.items()},
        midline_px=curve / mm,
        midline_shift_mm=deviation,
        edited=True,
    )


def _with_slice(measurement: Measurement, changed: SliceMeasurement) -> Measurement:
    return _with_slices(measurement, [one for one in measurement.slices if one.index != changed.index] + [changed])


def _with_slices(measurement: Measurement, slices: list[SliceMeasurement]) -> Measurement:
    """Return the measurement with these slices, at least one of them edited or pinned, and the case's number of them."""
    slices = sorted(slices, key=lambda one: one.index)
    # results of versions before ``model_slice`` that were edited there do not state it
    model_slice = measurement.model_slice if measurement.edited else measurement.slice
    case = reader_case(slices, model_slice)
    return replace(
        measurement,
        slices=tuple(slices),
        signed_shift_mm=case.signed_shift_mm,
        slice=case.index,
        model_slice=model_slice,
        interval_mm=None,
        p_over_5mm=None,
        review=None,
    )


def _from_neighbours(slices: tuple[SliceMeasurement, ...], z: float, mm: np.ndarray) -> dict[str, np.ndarray]:
    """Interpolate landmarks at height ``z`` (plane mm), linear between the measured slices around it."""
    heights = np.array([one.z_mm for one in slices])
    order = np.argsort(heights)
    plane = {}
    for name in ("anterior_falx", "posterior_falx", "shifted"):
        points = np.array([one.landmarks_px[name] for one in slices])[order] * mm
        plane[name] = np.array([np.interp(z, heights[order], points[:, axis]) for axis in (0, 1)])
    return plane


def _head_height(slices: tuple[SliceMeasurement, ...], z: float) -> float:
    """Return the height above the anterior-commissure level at ``z``: the line through what the measured slices were given."""
    stack_z, head = (np.array([getattr(one, name) for one in slices]) for name in ("z_mm", "height_mm"))
    if len(slices) < 2 or np.ptp(stack_z) == 0:
        return float(head[0] + z - stack_z[0])
    slope, start = np.polyfit(stack_z, head, 1)
    return float(start + slope * z)
