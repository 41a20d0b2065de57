"""Store a measurement in a text node: as edited, as the model gave it, the geometry of the scan, the shown slice.

JSON, so that it is saved with the scene and read by any version.

The geometry is kept so that a saved scene is live without reading its voxels again, and so that an edit is
made in the plane that was measured even if the volume was moved by a transform since.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.results import LANDMARK_NAMES, Measurement
from MidlineShiftLogic.measurement.slice_names import slice_name
from MidlineShiftLogic.reporting.measurement_json import from_dict, to_dict
from MidlineShiftLogic.text import parse_json

FORMAT = "midlineshift-scene/1"


@dataclass(frozen=True)
class SceneState:
    """Hold the content of one text node.

    Attributes:
        measurement: with the reader's edits and review.
        original: as the model gave it.
        geometry: the scan's places; its voxels are all air and take no memory.
        shown: slice whose landmarks are in the scene.
    """

    measurement: Measurement
    original: Measurement
    geometry: HeadCT
    shown: int

    def to_json(self) -> str:
        """Return JSON text; millimetres and pixels of the measurements rounded to 0.0001."""
        ct = self.geometry
        changed = self.measurement is not self.original
        return json.dumps(
            {
                "format": FORMAT,
                "shown": self.shown,
                "geometry": {
                    "shape": list(ct.hu.shape),
                    "origins_lps": np.asarray(ct.origins).tolist(),
                    "column_axis_lps": np.asarray(ct.column_axis).tolist(),
                    "row_axis_lps": np.asarray(ct.row_axis).tolist(),
                    "pixel_spacing_mm": list(map(float, ct.pixel_spacing)),
                    "thickness_mm": np.asarray(ct.thickness).tolist(),
                    "source_slices": [list(map(int, one)) for one in ct.source_slices],
                },
                "original": to_dict(self.original),
                "measurement": to_dict(self.measurement) if changed else None,
            },
            ensure_ascii=False,
        )


def without_voxels(ct: HeadCT) -> HeadCT:
    """Return the scan's geometry with voxels of air that take no memory."""
    air = np.broadcast_to(np.float32(-1000.0), ct.hu.shape)
    return replace(ct, hu=air, sop_instance_uids=(), source={}, quality=())


@lru_cache(maxsize=4)
def from_json(text: str) -> SceneState:
    """Return the state that ``SceneState.to_json`` wrote.

    Nobody changes it in place, so that one text is parsed once: each move of a dragged landmark asks for it a dozen times.

    Raises:
        InputError: the text is not one, or a measurement in it is damaged.
    """
    try:
        data = parse_json(text)
        if data["format"] != FORMAT:
            raise InputError(f"The measurement in this scene has the format {data['format']!r}, not {FORMAT}.", "scene")
        place = data["geometry"]
        geometry = HeadCT(
            hu=np.broadcast_to(np.float32(-1000.0), tuple(place["shape"])),
            origins=np.array(place["origins_lps"]),
            column_axis=np.array(place["column_axis_lps"]),
            row_axis=np.array(place["row_axis_lps"]),
            pixel_spacing=tuple(place["pixel_spacing_mm"]),
            thickness=np.array(place["thickness_mm"]),
            source_slices=tuple(tuple(one) for one in place["source_slices"]),
        )
        original = from_dict(data["original"])
        measurement = original if data["measurement"] is None else from_dict(data["measurement"])
        shown = data["shown"]
        _check_geometry(geometry, shown)
        for one in {id(original): original, id(measurement): measurement}.values():
            _check_measurement(one, geometry)
        return SceneState(measurement, original, geometry, shown)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise InputError(
            f"The measurement in this scene is damaged ({type(error).__name__}: {error}).", "scene"
        ) from error


def damage_of(measurement: Measurement, ct: HeadCT) -> str:
    """Return why a measurement that was read from a file cannot be shown on a scan; empty if it can."""
    try:
        _check_measurement(measurement, ct)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _check_geometry(ct: HeadCT, shown: int) -> None:
    """Raise ValueError where a text that a hand changed has no usable places, or shows a slice that is not there."""
    count = ct.n_slices
    found = [np.shape(value) for value in (ct.origins, ct.column_axis, ct.row_axis, ct.pixel_spacing, ct.thickness)]
    if len(ct.hu.shape) != 3 or found != [(count, 3), (3,), (3,), (2,), (count,)]:
        raise ValueError("its geometry does not fit together")
    numbers = np.concatenate([np.ravel(value) for value in (ct.origins, ct.column_axis, ct.row_axis, ct.pixel_spacing)])
    if not np.isfinite(numbers).all() or min(ct.pixel_spacing) <= 0:
        raise ValueError("its geometry has no usable numbers")
    if type(shown) is not int or not 0 <= shown < count:
        raise ValueError(f"there is no slice {shown!r}")


def _check_measurement(measurement: Measurement, ct: HeadCT) -> None:
    """Raise an error where a place, a height or a name that is drawn is missing; reading a result checked the rest.

    A blind review has neither a number nor slices before the reader has placed landmarks.
    """
    if measurement.slices:
        measurement.measured_slice()
    for one in measurement.slices:
        if not 0 <= one.index < ct.n_slices:
            raise ValueError(f"there is no slice {one.index!r}")
        places = [place for name in LANDMARK_NAMES for place in (one.landmarks_px[name], one.landmarks_lps_mm[name])]
        if not np.isfinite(np.concatenate([one.midline_px.ravel(), *places, [one.height_mm]]).astype(float)).all():
            raise ValueError(f"slice {one.index} has places without numbers")
        for sources in (one.source_slices, ct.source_slices[one.index] if ct.source_slices else ()):
            slice_name(measurement, one.index, sources)
