"""From the volumes of one case to slices: every sub-slice looks up brain, skull and lesions; a slice is their mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from midlineshift_training.phantoms import lesions as lesion_module
from midlineshift_training.phantoms.fields import move, sample
from midlineshift_training.phantoms.lesions import FINE, Lesions
from midlineshift_training.phantoms.pose import NODES, SIZE, Pose
from midlineshift_training.phantoms.subject import Subject
from midlineshift_training.phantoms.tissue_model import BRAIN, HEAD
from midlineshift_training.phantoms.variation import Variation, depth_volume

SUBSLICES = 3
MIDDLE = SUBSLICES // 2
EDGE_MM = 0.45  # softness of the inner table
FARTHEST_MM = -44.0  # nothing but air beyond this depth


@dataclass(frozen=True)
class Slices:
    """Rendered stack.

    Attributes:
        hu: (n, SIZE, SIZE) float32, without noise.
        depth: (n, SIZE, SIZE) float32 mm to the inner table at the slice's centre plane, positive inside.
        x_template: (n, SIZE, SIZE) float32 mm, template x before the shift, at the centre plane.
        lesion: (n, SIZE, SIZE) uint8 label codes at the centre plane.
        displacement: (n, NODES, NODES, 3) head units, b(w) - w at the coarse nodes of the centre plane.
    """

    hu: np.ndarray
    depth: np.ndarray
    x_template: np.ndarray
    lesion: np.ndarray
    displacement: torch.Tensor


def _upsample(nodes: torch.Tensor) -> torch.Tensor:
    """(S, NODES, NODES, C) -> (S, SIZE, SIZE, C), bilinear."""
    grown = functional.interpolate(nodes.permute(0, 3, 1, 2), size=(SIZE, SIZE), mode="bilinear", align_corners=True)
    return grown.permute(0, 2, 3, 1)


def _paint_lesions(
    hu: torch.Tensor, points: torch.Tensor, depth: torch.Tensor, depth_before: torch.Tensor, lesions: Lesions, subject: Subject
) -> tuple[torch.Tensor, torch.Tensor]:
    """Lesions over the shifted brain.

    Args:
        hu, depth, depth_before: (M,) brain HU, distance to the inner table here and where the tissue came from.
        points: (M, 3) head units in the shifted head.

    Returns:
        hu and label codes, (M,).
    """
    label = torch.zeros_like(hu)
    contrast = max(subject.grey_hu - subject.white_hu, 1.0)
    for infarct in lesions.infarcts:
        distance = sample(infarct.distance[None], points, FINE)[0]
        amount = torch.sigmoid(-distance / 1.8) * infarct.depth
        hu = torch.where(hu < infarct.hu, hu, torch.lerp(hu, torch.full_like(hu, infarct.hu), amount))
        label[(distance < 0) & (depth_before > 0)] = lesion_module.INFARCT
    for bleed in lesions.bleeds:
        distance, blood_hu = sample(torch.stack([bleed.distance, bleed.hu]), points, FINE)
        spared = 1 - 0.55 * ((hu - subject.white_hu) / contrast).clamp(0, 1)  # oedema follows white matter
        rim = 0.85 * torch.sigmoid((bleed.rim_mm - distance) / 1.6) * spared
        hu = torch.where(hu < bleed.rim_hu, hu, hu + (bleed.rim_hu - hu) * rim)
        blood = torch.sigmoid(-distance / 0.55) * torch.sigmoid((depth_before - 1) / 0.8)
        hu = hu + (blood_hu - hu) * blood
        label[blood > 0.5] = lesion_module.PARENCHYMAL
    if lesions.extra_axial_hu is not None:
        fields = torch.stack([lesions.extra_axial_hu, lesions.extra_axial_code])
        blood_hu, code = sample(fields, points, FINE)
        blood = torch.sigmoid((depth - depth_before - 1.2) / 0.5) * torch.sigmoid((1.3 - depth_before) / 0.5)
        hu = hu + (blood_hu - hu) * blood
        label = torch.where((blood > 0.5) & (depth > 0), code.round(), label)
    return hu, label


def render(
    pose: Pose, subject: Subject, variation: Variation, lesions: Lesions, brain: torch.Tensor, skull: torch.Tensor
) -> Slices:
    """Look the whole stack up, slice by slice."""
    n = pose.n_slices
    part = (np.arange(SUBSLICES) - MIDDLE) / SUBSLICES * pose.thickness_mm
    hu = np.full((n, SIZE, SIZE), -1000.0, np.float32)
    depth_out = np.full((n, SIZE, SIZE), -99.0, np.float32)
    x_template = np.full((n, SIZE, SIZE), np.nan, np.float32)
    label_out = np.zeros((n, SIZE, SIZE), np.uint8)
    displacement = torch.zeros(n, NODES, NODES, 3)
    outside_volume = torch.cat([skull[None], depth_volume()])
    for k in range(n):
        head = pose.coarse_points(pose.heights_mm[k] + part)
        before = move(lesions.backward, head)
        displacement[k] = before[MIDDLE] - head[MIDDLE]
        skull_nodes = variation.to_template(head)
        near = (sample(depth_volume(), skull_nodes, HEAD)[0] > FARTHEST_MM - 6).any(0).numpy()
        if not near.any():
            continue
        rows, columns = np.flatnonzero(near.any(1)), np.flatnonzero(near.any(0))
        step = (SIZE - 1) / (NODES - 1)
        box = (
            slice(None),
            slice(max(0, int((rows[0] - 1) * step)), int((rows[-1] + 1) * step) + 2),
            slice(max(0, int((columns[0] - 1) * step)), int((columns[-1] + 1) * step) + 2),
        )
        full = _upsample(torch.cat([skull_nodes, variation.brain_to_template(before), head], -1))[box]
        value, depth = sample(outside_volume, full[..., :3], HEAD)
        inside = depth > -2.0
        if inside.any():
            template, points = full[..., 3:6][inside], full[..., 6:][inside]
            brain_hu = sample(brain[None], template, BRAIN)[0]
            depth_before = sample(depth_volume(), template, HEAD)[0] if lesions.kinds else depth[inside]
            painted, label = _paint_lesions(brain_hu, points, depth[inside], depth_before, lesions, subject)
            weight = torch.sigmoid(depth[inside] / EDGE_MM)
            value[inside] = value[inside] + (painted - value[inside]) * weight
            labels = torch.zeros_like(depth)
            labels[inside] = label
            label_out[k][box[1:]] = labels[MIDDLE].numpy()
            x_template[k][box[1:]] = full[MIDDLE, ..., 3].numpy()
        hu[k][box[1:]] = value.mean(0).numpy()
        depth_out[k][box[1:]] = depth[MIDDLE].numpy()
    label_out[depth_out < 0] = 0
    x_template[depth_out < 0] = np.nan
    return Slices(hu=hu, depth=depth_out, x_template=x_template, lesion=label_out, displacement=displacement)
