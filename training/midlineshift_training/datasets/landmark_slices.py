"""Real slices with sparse landmarks as training data for the midline networks.

A reader gives both falx attachments and one to three points of the midline. From these follow exactly the ideal line, and
the deviation of the midline at the given points; between them it is interpolated, and ``known`` says how far from a given
point a place is. The slices are stored as those of phantoms are, so that training bends them by known warps
(``midline_dataset``): a bent slice has exactly known new landmarks, and few labels become many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from scipy.interpolate import PchipInterpolator

from midlineshift_training.datasets.annotated.case import AnnotatedCase, SliceDetails
from midlineshift_training.datasets.phantom_slices import KNOWN_NODES, SEPTUM, PhantomSlices
from midlineshift_training.datasets.phantoms.pose import NODES, SIZE
from midlineshift_training.datasets.slice_cache import file_digest, map_cached
from midlineshift_training.datasets.unlabelled.case import (
    FIELD_OF_HEADS,
    PIXEL_MM,
    cut_to_grid,
    inside_of_skull,
    straightening_field,
)
from midlineshift_training.datasets.unlabelled.falx_trace import ALONG
from MidlineShiftLogic.errors import InputError, RefusedError
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.inference.pipeline import NetworkOutputs, run_networks
from MidlineShiftLogic.models import Model

KNOWN_WIDTH = 0.05
"""Spread, in fractions of the falx, of how far a midline point says where the midline is."""
CLOSEST = 0.03
"""Points nearer than this (fractions of the falx) to the one before are left out: the line between them would be steep."""


def load_labelled(cases: Sequence[AnnotatedCase], model: Model, cache: Path | None = None) -> PhantomSlices:
    """Return all labelled slices of a set.

    Args:
        cases: of the set. model: finds inside of the skull and heights; its midlines are not used.
        cache: folder of slices prepared before (``slice_cache``); None: without.

    Raises:
        InputError: a scan cannot be read, or no slice is labelled.
    """
    labelled = [case for case in cases if case.landmarks]
    results = map_cached(
        lambda case: _labelled_slices(case, model), labelled, lambda case: _key(case, model), cache, "labelled scans"
    )
    parts = []
    for case, values in zip(labelled, results, strict=True):
        if "refused" in values:
            click.echo(f"{case.name}: left out: {values['refused']}", err=True)
        elif values:
            parts.append(values)
    if not parts:
        raise InputError("No slice of the set is labelled; give a set with landmarks.", "no-data")
    names = PhantomSlices.__dataclass_fields__
    return PhantomSlices(**{name: torch.cat([part[name] for part in parts]) for name in names})


def _labelled_slices(case: AnnotatedCase, model: Model) -> dict[str, Any]:
    """Fields of ``PhantomSlices`` for the labelled slices of a case; instead ``refused``, why no midline was found."""
    ct, landmarks = case.read()
    if not landmarks:
        return {}
    try:
        outputs = run_networks(ct, model, "cpu")
    except RefusedError as error:
        return {"refused": str(error)}
    found = _slices_of(ct, outputs, landmarks, case.details)
    return {name: torch.stack([torch.as_tensor(one[name]) for one in found]) for name in found[0]}


def _key(case: AnnotatedCase, model: Model) -> dict[str, Any]:
    """Return all that ``_labelled_slices`` depends on."""
    return {
        "scan": file_digest(case.path),
        "spacing": case.spacing,
        "of_file": case.of_file,
        "landmarks": {int(index): points for index, points in case.landmarks.items()},
        "details": {int(index): asdict(one) for index, one in case.details.items()},
        "model": asdict(model.description),
    }


def _slices_of(ct: HeadCT, outputs: NetworkOutputs, landmarks, details) -> list[dict]:
    """Return what ``PhantomSlices`` holds of each labelled slice of a scan."""
    frame, length = outputs.frame, outputs.pose.falx_length_mm
    pixel = float(np.clip(FIELD_OF_HEADS * length / SIZE, *PIXEL_MM))
    corner = np.median(frame.centre, axis=0) - pixel * (SIZE - 1) / 2
    hu = cut_to_grid(ct, corner, pixel)
    inside = inside_of_skull(outputs.maps, frame, outputs.chosen, ct.n_slices, corner, pixel)
    slope, level = np.polyfit(ct.heights[outputs.chosen], outputs.height, 1)
    row_mm, column_mm = ct.pixel_spacing
    nodes = np.linspace(0, SIZE - 1, NODES) * pixel
    plane = np.stack(np.meshgrid(nodes + corner[0], nodes + corner[1]), -1)
    found = []
    for index, points in sorted(landmarks.items()):
        known = details.get(index, SliceDetails())
        further = [np.array(point) for point in known.midline.values()]
        line = LandmarkLine(points, further, np.array([column_mm, row_mm]))
        deviation = line.deviation(ALONG)
        field = straightening_field(plane - line.anterior, line.n, line.u, line.length, np.zeros_like(ALONG), deviation)
        septum = (SEPTUM[0] <= ALONG) & (SEPTUM[1] >= ALONG)
        shift = np.float32(deviation[septum].mean())
        found.append(
            {
                "hu": hu[index],
                "displacement_px": (field / pixel).astype(np.float16),
                "inside": inside[index],
                "pixel_mm": np.float32(pixel),
                "angle": np.float32(np.arctan2(line.n[1], line.n[0])),
                "anterior": (line.anterior - corner).astype(np.float32),
                "posterior": (line.posterior - corner).astype(np.float32),
                "falx_length": np.float32(length),
                "height": np.float32(slope * ct.heights[index] + level),
                "measurable": True,
                "septum_shift": shift,
                "case_shift": shift,
                "unlabelled": False,
                "labelled": True,
                "known": line.known(np.linspace(0, 1, KNOWN_NODES)).astype(np.float32),
                "weight": np.float32(known.confidence),
            }
        )
    return found


class LandmarkLine:
    """The midline of a slice between its attachments, as far as landmarks show it.

    Args:
        points: (4, 2) px as (column, row): anterior falx, posterior falx, shifted, ideal (not used: it is on the line).
        further: more points of the midline, px. mm: (2,) of a pixel, (column, row).

    Attributes:
        anterior, posterior: (2,) plane mm. length: mm between them. n, u: unit vectors toward the patient's left and backward.
        fractions, offsets: where along the ideal line the midline is known, ends included, and its signed distance, mm.
    """

    def __init__(self, points: np.ndarray, further: Sequence[np.ndarray], mm: np.ndarray):
        self.anterior, self.posterior = points[0] * mm, points[1] * mm
        d = self.posterior - self.anterior
        self.length = float(np.linalg.norm(d))
        self.u = d / self.length
        self.n = np.array([self.u[1], -self.u[0]])
        place = (np.stack([points[2], *further]) * mm) - self.anterior
        fractions, offsets = place @ self.u / self.length, place @ self.n
        kept_fractions, kept_offsets = [0.0], [0.0]
        for k in np.argsort(fractions):
            if kept_fractions[-1] + CLOSEST < fractions[k] < 1 - CLOSEST:
                kept_fractions.append(float(fractions[k]))
                kept_offsets.append(float(offsets[k]))
        self.fractions, self.offsets = np.array([*kept_fractions, 1.0]), np.array([*kept_offsets, 0.0])

    def deviation(self, along: np.ndarray) -> np.ndarray:
        """Return signed distance of the midline from the ideal line at fractions, mm; monotone between the known places."""
        return PchipInterpolator(self.fractions, self.offsets)(np.clip(along, 0, 1))

    def known(self, along: np.ndarray) -> np.ndarray:
        """Return how well the midline is known at fractions, 0..1."""
        away = (np.asarray(along)[:, None] - self.fractions) / KNOWN_WIDTH
        return np.exp(-(away**2)).max(1)
