"""Keep a blind reading apart from the model's: only slices that the reader placed count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.edit import add_slice, reader_case
from MidlineShiftLogic.measurement.results import Measurement


def own_slices(measurement: Measurement, without: int | None = None) -> Measurement:
    """Return the measurement with only the reader's slices, the case chosen among these.

    Args:
        measurement: Of the model or of the reader.
        without: A slice to leave out, too.

    Returns:
        Without number, slice and interval where no slice is left.
    """
    slices = tuple(one for one in measurement.slices if (one.edited or one.pinned) and one.index != without)
    case = reader_case(slices, None) if slices else None
    return replace(
        measurement,
        slices=slices,
        signed_shift_mm=None if case is None else case.signed_shift_mm,
        slice=None if case is None else case.index,
        model_slice=None,
        interval_mm=None,
        p_over_5mm=None,
        authors_readout_mm=None,
        review=None,
    )


def merge_placed_slice(
    own: Measurement, original: Measurement, ct: HeadCT, index: int, landmarks: Mapping[str, np.ndarray]
) -> Measurement:
    """Return a blind reading with landmarks placed on one more slice.

    The model's slices say how high in the head the slice is; nothing else of them is used.

    Args:
        own: The blind reading so far.
        original: The model's measurement.
        ct: The scan.
        index: Slice of the stack, not in ``own``.
        landmarks: Name -> (3,) LPS mm of ``anterior_falx``, ``posterior_falx`` and ``shifted``.

    Raises:
        InputError: The falx attachments coincide.
    """
    others = tuple(one for one in original.slices if one.index != index)
    placed = add_slice(replace(original, slices=others or original.slices[:1]), ct, index, landmarks)
    new = next(one for one in placed.slices if one.index == index)
    return own_slices(replace(own, slices=tuple(sorted((*own.slices, new), key=lambda one: one.index))))
