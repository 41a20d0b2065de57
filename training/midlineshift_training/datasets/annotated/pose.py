"""Midsagittal plane of each head of a set, found by a model's pose network: the frame that measuring will show it in."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from MidlineShiftLogic.errors import RefusedError
from MidlineShiftLogic.geometry.frame import Frame
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.inference.pose import estimate_pose, head_centre
from MidlineShiftLogic.models import Model, load_model


@lru_cache(maxsize=2)
def open_pose_model(name: str) -> Model:
    """Return the model, once a process; "" for the default one. InputError if there is none."""
    return load_model(name or None)


def estimated_pose(ct: HeadCT, model_name: str) -> tuple[dict[str, Any] | None, str]:
    """Return ``AnnotatedCase.pose`` of a scan, or None and the reason."""
    model = open_pose_model(model_name)
    frame = model.frame_of("pose")
    try:
        pose = estimate_pose(ct, model.network("pose"), frame["grid"], frame["pixel_mm"], frame["length_mm"])
    except RefusedError as error:
        return None, str(error)
    return {
        "angle": float(pose.angle),
        "falx_length_mm": pose.falx_length_mm,
        "centre_mm": np.round(pose.centre, 3).tolist(),
        "height_mm": np.round(pose.height.astype(float), 2).tolist(),
    }, ""


def aligned_frame(pose: Mapping[str, Any], size: int, pixel_mm: float, length_mm: float) -> Frame:
    """Return the frame that measuring uses: upright, centred on the falx, the falx ``length_mm`` frame millimetres long."""
    centre = np.array(pose["centre_mm"], float)
    return Frame(size, pixel_mm, pose["angle"], pose["falx_length_mm"] / length_mm, centre)


def frame_as_scanned(ct: HeadCT, size: int, pixel_mm: float) -> Frame:
    """Return the frame of the head as it was scanned, centred on its outline, as Gong et al. do."""
    return Frame(size, pixel_mm, 0.0, 1.0, np.tile(head_centre(ct), (ct.n_slices, 1)))
