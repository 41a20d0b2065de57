"""Draw what pushes the brain, and the map from the shifted head back to the unshifted one.

The lesion map b = exp(-v) looks up where tissue was before the lesion; v is a stationary velocity field that vanishes on
the midsagittal plane at the inner table, so that the attachments of the falx stay where they are.
"""

from __future__ import annotations

import numpy as np
import torch

from midlineshift_training.datasets.phantoms import fields
from midlineshift_training.datasets.phantoms.falx import sideways_freedom
from midlineshift_training.datasets.phantoms.fields import LATTICE, nodes, sample, smooth
from midlineshift_training.datasets.phantoms.lesions.brain_masses import add_bleed, add_infarct, add_old_infarct
from midlineshift_training.datasets.phantoms.lesions.csf_spaces import draw_drain, draw_free_blood, squeeze_ventricles
from midlineshift_training.datasets.phantoms.lesions.extra_axial import add_extra_axial
from midlineshift_training.datasets.phantoms.lesions.model import LARGE_MM, Lesions, Push
from midlineshift_training.datasets.phantoms.lesions.shift_field import reach_target, shift_profile
from midlineshift_training.datasets.phantoms.subject import Subject
from midlineshift_training.datasets.phantoms.tissue_model import HEAD
from midlineshift_training.datasets.phantoms.variation import Variation, depth_volume

SITES = {  # centre at x > 0, template mm, and how often
    "basal ganglia": ((27, 2, 6), 0.30),
    "thalamus": ((15, -18, 8), 0.16),
    "frontal": ((26, 36, 18), 0.16),
    "parietal": ((32, -38, 34), 0.14),
    "temporal": ((46, -18, -12), 0.12),
    "occipital": ((26, -68, 10), 0.06),
    "caudate": ((18, 14, 14), 0.06),
}
DEEP_SITES = {"basal ganglia": 0.42, "thalamus": 0.16, "temporal": 0.17, "frontal": 0.15, "parietal": 0.10}

CONTUSION_SITES = ((28, 52, -6), (14, 58, 4), (50, 8, -18), (54, -20, -14), (40, 42, 10), (48, -40, 20))

UNSHIFTED_SHARE = 0.25
OLD_INFARCT_SHARE = 0.15
"""Share of the unshifted heads with an old infarct."""
MAX_SHIFT_MM = 20.0
LEADING = {  # how often which lesion leads: shifts below LARGE_MM, above
    "bleed": (0.30, 0.50),
    "acute subdural": (0.15, 0.16),
    "mixed subdural": (0.06, 0.05),
    "chronic subdural": (0.12, 0.06),
    "epidural": (0.09, 0.04),
    "infarct": (0.08, 0.09),
    "contusions": (0.08, 0.03),
    "tumour": (0.07, 0.05),
    "abscess": (0.03, 0.02),
    "cyst": (0.02, 0.00),
}


def _draw_kinds(rng, large: bool) -> list[str]:
    """Draw the kinds of lesions of a shifted case."""
    kinds = [str(rng.choice(list(LEADING), p=[share[large] for share in LEADING.values()]))]
    if rng.random() < 0.25:
        kinds.append(str(rng.choice(["bleed", "acute subdural", "contusions", "infarct"])))
    return kinds


def _draw_masses(rng, lesions: Lesions, push: Push, subject: Subject) -> None:
    """Draw the lesions that push."""
    side, large = lesions.side, lesions.target_mm >= LARGE_MM
    lesions.kinds = _draw_kinds(rng, large)
    body = float(np.prod(subject.scale)) ** 0.5
    for index, kind in enumerate(lesions.kinds):
        here = side if index == 0 or rng.random() < 0.75 else -side
        if kind in ("bleed", "tumour", "abscess", "cyst"):
            if large and index == 0:  # beside the ventricle
                centre, volume = (
                    SITES[str(rng.choice(list(DEEP_SITES), p=list(DEEP_SITES.values())))][0],
                    rng.uniform(45, 150),
                )
            else:
                sites = list(SITES.values())
                centre = sites[rng.choice(len(sites), p=[s[1] for s in sites])][0]
                volume = np.exp(rng.uniform(np.log(4), np.log(60))) + rng.uniform(1, 4) * lesions.target_mm
            volume *= body * (1.0 if index == 0 else 0.4) * (1.0 if kind == "bleed" else 0.6)
            where = (np.array(centre, dtype=float) + rng.normal(0, 4, 3)) * (here, 1, 1)
            add_bleed(rng, lesions, push, subject, here, where, volume, rng.uniform(0.15, 0.4), kind)
        elif kind == "contusions":
            for _ in range(rng.integers(2, 6)):
                site = np.array(CONTUSION_SITES[rng.integers(len(CONTUSION_SITES))]) + rng.normal(0, 4, 3)
                where = here if rng.random() < 0.7 else -here
                volume = rng.uniform(0.4, 20 if large else 9)
                add_bleed(rng, lesions, push, subject, where, site * (where, 1, 1), volume, 0.15)
        elif kind == "infarct":
            add_infarct(rng, lesions, push, here)
        else:
            add_extra_axial(rng, lesions, push, subject, here, kind)
            if kind == "chronic subdural" and rng.random() < 0.3:  # both sides
                add_extra_axial(rng, lesions, push, subject, -here, kind)
    squeeze_ventricles(rng, lesions, push, subject)


def _draw_target(rng, opened: bool) -> float:
    """Draw the wanted shift (mm): small, medium or, most often after a craniectomy, large."""
    size = rng.random()
    if size < (0.55 if opened else 0.32):
        return float(LARGE_MM + (MAX_SHIFT_MM - LARGE_MM) * rng.beta(1.1, 1.5))
    if size < 0.8:
        return float(np.clip(rng.gamma(3.2, 1.7), 1, LARGE_MM + 2))
    return float(rng.uniform(0.5, 4))


def draw(rng: np.random.Generator, subject: Subject, variation: Variation) -> Lesions:
    """Draw the lesions of one case and build its lesion map."""
    lesions = Lesions(side=int(rng.choice([-1, 1])))
    depth = sample(depth_volume(), variation.to_template(nodes()), HEAD)[0]
    inward = fields.gradient(smooth(depth, 6.0))
    push = Push(
        velocity=torch.zeros(3, *LATTICE.shape),
        radial=torch.zeros(3, *LATTICE.shape),
        depth=depth,
        inside=1 - torch.exp(-((depth.clamp(min=0) / 16) ** 2)),
        inward=inward / (inward.norm(dim=0) + 1e-3),
    )
    if subject.surgery is not None and rng.random() < 0.85:  # surgeons open the side of the mass
        lesions.side = subject.surgery.side
    opened = subject.surgery is not None and subject.surgery.removed
    if rng.random() < (0.1 if opened else UNSHIFTED_SHARE):
        lesions.target_mm = float(rng.uniform(0, 1.2))
        if rng.random() < OLD_INFARCT_SHARE:
            add_old_infarct(rng, lesions, push, subject)
        elif rng.random() < 0.3:  # small bleeds that do not push
            lesions.kinds = ["bleed"]
            for _ in range(rng.integers(1, 4)):
                where = int(rng.choice([-1, 1]))
                site = np.array(CONTUSION_SITES[rng.integers(len(CONTUSION_SITES))]) + rng.normal(0, 5, 3)
                add_bleed(rng, lesions, push, subject, where, site * (where, 1, 1), rng.uniform(0.3, 5), 0.05)
        if rng.random() < 0.3:
            draw_free_blood(rng, lesions)
    else:
        lesions.target_mm = _draw_target(rng, opened)
        _draw_masses(rng, lesions, push, subject)
        draw_free_blood(rng, lesions)
    if rng.random() < (0.12 if lesions.kinds else 0.02):
        draw_drain(rng, lesions)
    profile = shift_profile(rng, lesions.side, push.inside)
    freedom = sideways_freedom(rng)
    for flow in (push.velocity, push.radial, profile):
        flow[0] *= freedom
    velocity = reach_target(push, profile, lesions.side, lesions.target_mm, float(subject.scale[0]))
    lesions.backward = fields.exponential(-velocity)
    return lesions
