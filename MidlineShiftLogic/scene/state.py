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
from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.reporting.measurement_json import from_dict, to_dict

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
        data = json.loads(text)
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
        return SceneState(measurement, original, geometry, int(data["shown"]))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"The measurement in this scene is damaged ({type(error).__name__}: {error}).", "scene"
        ) from error
