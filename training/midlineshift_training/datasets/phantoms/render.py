"""From the volumes of one case to slices: every sub-slice looks up brain, skull and lesions; a slice is their mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from midlineshift_training.datasets.phantoms.fields import move, sample
from midlineshift_training.datasets.phantoms.lesions.model import FINE, INFARCT, Bleed, Infarct, Lesions
from midlineshift_training.datasets.phantoms.pose import NODES, SIZE, Pose
from midlineshift_training.datasets.phantoms.subject import Subject
from midlineshift_training.datasets.phantoms.tissue_model import BRAIN, HEAD, SKULL
from midlineshift_training.datasets.phantoms.variation import Variation, depth_volume

SUBSLICES = 3
MIDDLE = SUBSLICES // 2
EDGE_MM = 0.45  # softness of the inner table
EDGE_REACH_MM = 2.0  # brain and skull are both looked up this far on either side of it
FARTHEST_MM = -50.0  # nothing but air beyond this depth
AIR_HU = -1000.0
MIDLINE_MM = 1.8  # a mass in the brain ends this far beside the falx and the septum
DRAIN_RADIUS_MM, DRAIN_HU = 1.3, 320.0


@dataclass(frozen=True)
class Slices:
    """Rendered stack.

    Attributes:
        hu: (n, SIZE, SIZE) float32, without noise.
        depth: (n, SIZE, SIZE) float32 mm to the inner table at the slice's centre plane, positive inside.
        x_template: (n, SIZE, SIZE) float32 mm, template x before the shift, at the centre plane; NaN outside the skull.
        lesion: (n, SIZE, SIZE) uint8 label codes at the centre plane.
        displacement: (n, NODES, NODES, 3) head units, b(w) - w at the coarse nodes of the centre plane.
        x_nodes: (n, NODES, NODES) mm, template x before the shift at the same nodes.
    """

    hu: np.ndarray
    depth: np.ndarray
    x_template: np.ndarray
    lesion: np.ndarray
    displacement: torch.Tensor
    x_nodes: torch.Tensor


@dataclass
class _Pixels:
    """Pixels inside the skull, (M,) each: HU so far, label code, depth here and where the tissue came from, template
    x of that place; (M, 3) head."""

    hu: torch.Tensor
    label: torch.Tensor
    depth: torch.Tensor
    depth_before: torch.Tensor
    x_before: torch.Tensor
    head: torch.Tensor


def _upsample(nodes: torch.Tensor) -> torch.Tensor:
    """Upsample (S, NODES, NODES, C) to (C, S, SIZE, SIZE), bilinearly."""
    grown = functional.interpolate(nodes.permute(0, 3, 1, 2), size=(SIZE, SIZE), mode="bilinear", align_corners=True)
    return grown.transpose(0, 1)


def _paint_infarct(pixels: _Pixels, infarct: Infarct) -> None:
    distance = sample(infarct.distance[None], pixels.head, FINE)[0]
    amount = torch.sigmoid(-distance / 1.8) * infarct.depth
    pixels.hu += (infarct.hu - pixels.hu).clamp(max=0) * amount
    pixels.label[(distance < 0) & (pixels.depth_before > 0)] = INFARCT


def _paint_bleed(pixels: _Pixels, bleed: Bleed, subject: Subject) -> None:
    near = ((pixels.head - torch.tensor(bleed.centre)) ** 2).sum(-1) < bleed.reach_mm**2
    where = near.nonzero()[:, 0]
    if not len(where):
        return
    distance, blood_hu = sample(bleed.distance_hu, pixels.head[where], FINE)
    hu = pixels.hu[where]
    contrast = max(subject.grey_hu - subject.white_hu, 1.0)
    spared = 1 - 0.55 * ((hu - subject.white_hu) / contrast).clamp(0, 1)  # oedema follows white matter
    rim = 0.85 * torch.sigmoid((bleed.rim_mm - distance) / 1.6) * spared
    hu += (bleed.rim_hu - hu).clamp(max=0) * rim
    blood = torch.sigmoid(-distance / 0.55) * torch.sigmoid((pixels.depth_before[where] - 1) / 0.8)
    blood *= torch.sigmoid((pixels.x_before[where] * bleed.side - MIDLINE_MM) / 0.5)
    pixels.hu[where] = hu + (blood_hu - hu) * blood
    pixels.label[where[blood > 0.5]] = bleed.code


def _paint_extra_axial(pixels: _Pixels, lesions: Lesions) -> None:
    """Make blood of what is inside the skull but came from outside the brain."""
    moved = pixels.depth - pixels.depth_before
    where = ((moved > 0) & (pixels.depth_before < 4)).nonzero()[:, 0]
    if not len(where):
        return
    fields = torch.stack([lesions.extra_axial_hu, lesions.extra_axial_code])
    blood_hu, code = sample(fields, pixels.head[where], FINE)
    before = pixels.depth_before[where]
    blood = torch.sigmoid((moved[where] - 1.2) / 0.5) * torch.sigmoid((1.3 - before) / 0.5)
    pixels.hu[where] += (blood_hu - pixels.hu[where]) * blood
    full = blood > 0.5
    pixels.label[where[full]] = code[full].round()


def _paint_drain(hu: torch.Tensor, head: torch.Tensor, drain: np.ndarray) -> None:
    """Paint a bright tube through brain, bone and scalp; head (3, ...) like hu."""
    tip, entry = torch.from_numpy(drain)
    along = entry - tip
    length = along.norm()
    along = along / length
    offset = [head[i] - tip[i] for i in range(3)]
    run = sum(o * a for o, a in zip(offset, along, strict=True)).clamp(-1, float(length) + 25)
    distance = sum((o - run * a) ** 2 for o, a in zip(offset, along, strict=True)).sqrt()
    hu += (DRAIN_HU - hu) * torch.sigmoid((DRAIN_RADIUS_MM - distance) / 0.25)


def render(
    pose: Pose, subject: Subject, variation: Variation, lesions: Lesions, brain: torch.Tensor, skull: torch.Tensor
) -> Slices:
    """Look the whole stack up, slice by slice."""
    n = pose.n_slices
    part = (np.arange(SUBSLICES) - MIDDLE) / SUBSLICES * pose.thickness_mm
    slices = Slices(
        hu=np.full((n, SIZE, SIZE), AIR_HU, np.float32),
        depth=np.full((n, SIZE, SIZE), -99.0, np.float32),
        x_template=np.full((n, SIZE, SIZE), np.nan, np.float32),
        lesion=np.zeros((n, SIZE, SIZE), np.uint8),
        displacement=torch.zeros(n, NODES, NODES, 3),
        x_nodes=torch.zeros(n, NODES, NODES),
    )
    for k in range(n):
        head = pose.coarse_points(pose.heights_mm[k] + part)
        before = move(lesions.backward, head)
        slices.displacement[k] = before[MIDDLE] - head[MIDDLE]
        to_skull, to_brain = variation.to_template(head), variation.brain_to_template(before)
        slices.x_nodes[k] = to_brain[MIDDLE, ..., 0]
        # Depth is smooth, so the coarse nodes carry it: two look-ups a pixel less.
        depths = [sample(depth_volume(), points, HEAD)[0][..., None] for points in (to_skull, to_brain)]
        box = _box((depths[0][..., 0] > FARTHEST_MM - 6).any(0).numpy())
        if box is None:
            continue
        maps = _upsample(torch.cat([*depths, to_skull, to_brain, head], -1))[(slice(None), slice(None), *box)]
        depth, depth_before, skull_at, brain_at, head_at = maps[0], maps[1], maps[2:5], maps[5:8], maps[8:11]

        value = torch.full_like(depth, AIR_HU)
        shell = (depth < EDGE_REACH_MM) & (depth > FARTHEST_MM)
        value[shell] = sample(skull[None], skull_at[:, shell].T, SKULL)[0]
        inside = depth > -EDGE_REACH_MM
        if inside.any():
            pixels = _Pixels(
                hu=sample(brain[None], brain_at[:, inside].T, BRAIN)[0],
                label=torch.zeros(int(inside.sum())),
                depth=depth[inside],
                depth_before=depth_before[inside],
                x_before=brain_at[0][inside],
                head=head_at[:, inside].T.contiguous() if lesions.kinds else torch.empty(0),
            )
            for infarct in lesions.infarcts:
                _paint_infarct(pixels, infarct)
            for bleed in lesions.bleeds:
                _paint_bleed(pixels, bleed, subject)
            if lesions.extra_axial_hu is not None:
                _paint_extra_axial(pixels, lesions)
            weight = torch.sigmoid(pixels.depth / EDGE_MM)
            value[inside] = torch.lerp(value[inside], pixels.hu, weight)
            labels = torch.zeros_like(depth)
            labels[inside] = pixels.label
            centre_inside = depth[MIDDLE] > 0
            slices.lesion[k][box] = (labels[MIDDLE] * centre_inside).numpy()
            nothing = torch.tensor(float("nan"))
            slices.x_template[k][box] = torch.where(centre_inside, brain_at[0, MIDDLE], nothing).numpy()
        if lesions.drain is not None:
            _paint_drain(value, head_at, lesions.drain)
        slices.hu[k][box] = value.mean(0).numpy()
        slices.depth[k][box] = depth[MIDDLE].numpy()
    return slices


def _box(near: np.ndarray) -> tuple[slice, slice] | None:
    """Return pixel rows and columns around the marked coarse nodes (NODES, NODES), or None."""
    if not near.any():
        return None
    step = (SIZE - 1) / (NODES - 1)

    def extent(marked: np.ndarray) -> slice:
        where = np.flatnonzero(marked)
        return slice(max(0, int((where[0] - 1) * step)), int((where[-1] + 1) * step) + 2)

    return extent(np.any(near, axis=1)), extent(np.any(near, axis=0))
