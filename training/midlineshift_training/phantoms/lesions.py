"""What pushes the brain: bleeds, infarcts and swelling, and the map from the shifted head back to the unshifted one.

Lesions live in the subject's shifted head (head units, the lattice of ``fields.py``). The lesion map b = exp(-v) looks up
where tissue was before the lesion; v is a stationary velocity field that vanishes on the mid-plane at the inner table, so
that the attachments of the falx stay where they are.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from midlineshift_training.phantoms import fields
from midlineshift_training.phantoms.fields import LATTICE, nodes, noise, sample, smooth
from midlineshift_training.phantoms.subject import Subject
from midlineshift_training.phantoms.tissue_model import HEAD, Grid
from midlineshift_training.phantoms.variation import Variation, depth_volume, ventricle_pull

# Label codes of the lesion map.
PARENCHYMAL, ACUTE_SUBDURAL, CHRONIC_SUBDURAL, EPIDURAL, INFARCT, INTRAVENTRICULAR, SUBARACHNOID = range(1, 8)

FINE = Grid((-80.0, -116.0, -84.0), 2.5, (65, 80, 70))  # lesion masks, head units
SITES = {  # centre at x > 0, template mm, and how often
    "basal ganglia": ((27, 2, 6), 0.30),
    "thalamus": ((15, -18, 8), 0.16),
    "frontal": ((26, 36, 18), 0.16),
    "parietal": ((32, -38, 34), 0.14),
    "temporal": ((46, -18, -12), 0.12),
    "occipital": ((26, -68, 10), 0.06),
    "caudate": ((18, 14, 14), 0.06),
}
CONTUSION_SITES = ((28, 52, -6), (14, 58, 4), (50, 8, -18), (54, -20, -14), (40, 42, 10), (48, -40, 20))
SEARCH_STEPS = 4
UNSHIFTED_SHARE = 0.25
MAX_SHIFT_MM = 20.0


@dataclass
class Lesions:
    """All lesions of one case.

    Attributes:
        kinds: names, empty for an unshifted head without lesion.
        side: +1 pushes from x > 0 (the patient's right), -1 from the left, of the leading lesion.
        target_mm: wished shift at the septum.
        backward: (3, X, Y, Z) displacement of b on the lattice, head units.
        bleeds, infarcts: lesions inside the brain.
        extra_axial_hu: (X, Y, Z) HU on FINE of blood between skull and brain.
        extra_axial_code: (X, Y, Z) label on FINE.
        intraventricular, subarachnoid, parafalcine: settings of blood that lies in CSF or along the falx, or None.
        drain: end points (2, 3) in head units of a ventricular drain, or None.
        squeeze: how much ventricle and sulci of each side are emptied, keys +1 and -1, 0..1.
    """

    kinds: list[str] = field(default_factory=list)
    side: int = 1
    target_mm: float = 0.0
    backward: torch.Tensor | None = None
    bleeds: list[Bleed] = field(default_factory=list)
    infarcts: list[Infarct] = field(default_factory=list)
    extra_axial_hu: torch.Tensor | None = None
    extra_axial_code: torch.Tensor | None = None
    intraventricular: dict | None = None
    subarachnoid: dict | None = None
    parafalcine: dict | None = None
    drain: np.ndarray | None = None
    squeeze: dict[int, float] = field(default_factory=lambda: {-1: 0.0, 1: 0.0})


@dataclass
class Bleed:
    """Blood in the brain: (2, *FINE.shape) signed distance (mm, negative inside) and HU, and its rim of oedema.

    ``centre`` (3,) and ``reach_mm`` bound the ball outside which it changes nothing.
    """

    distance_hu: torch.Tensor
    rim_mm: float
    rim_hu: float
    centre: np.ndarray
    reach_mm: float


@dataclass
class Infarct:
    """Hypodense territory: signed distance (mm, negative inside) on FINE, its HU and how far grey matter is lost."""

    distance: torch.Tensor
    hu: float
    depth: float


@dataclass
class _Push:
    """Velocity under construction, with what it needs."""

    velocity: torch.Tensor
    depth: torch.Tensor
    inside: torch.Tensor
    inward: torch.Tensor


def _ellipsoid(centre, radii, turn_deg, roughness, points) -> torch.Tensor:
    """Approximate signed distance (mm) to a rough ellipsoid at (..., 3) points."""
    turn = torch.tensor(Rotation.from_euler("xyz", turn_deg, degrees=True).as_matrix(), dtype=torch.float32)
    offset = (points - torch.tensor(centre, dtype=torch.float32)) @ turn
    radii = torch.tensor(radii, dtype=torch.float32)
    return ((offset / radii).norm(dim=-1) - 1 - roughness) * radii.min()


def _add_bleed(rng, lesions: Lesions, push: _Push, side: int, centre, volume_ml: float, mass: float) -> None:
    """One intraparenchymal bleed: mask, HU, rim, and its own radial push."""
    radius = (volume_ml * 1e3 * 3 / 4 / np.pi) ** (1 / 3)
    centre = np.array(centre, dtype=np.float32)
    centre[0] = side * max(abs(centre[0]), radius * 0.75 + 3)
    shape = np.array([rng.uniform(0.7, 1.05), rng.uniform(0.95, 1.6), rng.uniform(0.75, 1.2)])
    radii = radius * shape / shape.prod() ** (1 / 3)
    rough = noise(rng, 8, FINE) * rng.uniform(0.06, 0.17) + noise(rng, 4, FINE) * rng.uniform(0.04, 0.14)
    if rng.random() < 0.5:
        rough = rough + noise(rng, 14, FINE) * rng.uniform(0.1, 0.25)
    distance = _ellipsoid(centre, radii, rng.uniform(-25, 25, 3), rough, nodes(FINE))
    hu = rng.uniform(56, 76) + noise(rng, 4, FINE) * rng.uniform(1, 4) + noise(rng, 10, FINE) * rng.uniform(1, 4)
    if rng.random() < 0.25:  # fluid level or swirl of unclotted blood
        level = torch.from_numpy(FINE.coordinates()[1]) - float(centre[1]) - float(rng.uniform(-0.4, 0.4) * radius)
        hu = hu - rng.uniform(10, 28) * torch.sigmoid((level + 2 * noise(rng, 6, FINE)) / 1.5)
    rim = float(rng.uniform(1.5, 10))
    reach = float((nodes(FINE)[distance < rim + 6] - torch.tensor(centre)).norm(dim=-1).max()) + FINE.spacing
    lesions.bleeds.append(Bleed(torch.stack([distance, hu]), rim, float(rng.uniform(15, 24)), centre, reach))
    offset = (nodes() - torch.tensor(centre)) / radius
    fall = mass * radius * 2.2 / (1 + (offset**2).sum(-1)) ** 1.5
    push.velocity += (offset * (fall * push.inside)[..., None]).movedim(-1, 0)


def _side_taper(side: int) -> torch.Tensor:
    """(X, 1, 1) 0 on the mid-plane and beyond, 1 well inside one side: keeps the falx attachments in place."""
    x = torch.from_numpy(LATTICE.axes()[0])[:, None, None] * side
    return ((x - 5) / 14).clamp(0, 1) ** 2 * (3 - 2 * ((x - 5) / 14).clamp(0, 1))


def _add_extra_axial(rng, lesions: Lesions, push: _Push, subject: Subject, side: int, kind: str) -> None:
    """Blood between skull and brain: the brain is pushed inward along the skull's normal."""
    y, z = (torch.from_numpy(a) for a in LATTICE.coordinates()[1:])
    epidural = kind == "epidural"
    thick = {
        "acute subdural": rng.uniform(3, 15),
        "chronic subdural": rng.uniform(6, 24),
        "mixed subdural": rng.uniform(5, 20),
        "epidural": rng.uniform(8, 28),
    }[kind]
    if epidural:
        centre, radii, power = (rng.uniform(-50, 45), rng.uniform(-5, 45)), rng.uniform(24, 42, 2), 1.0
    else:
        centre, power = (rng.uniform(-18, 14), rng.uniform(10, 32)), 0.6
        radii = np.array([rng.uniform(50, 85), rng.uniform(34, 58)])
    reach = ((y - centre[0]) / radii[0]) ** 2 + ((z - centre[1]) / radii[1]) ** 2
    profile = (1 - reach).clamp(min=0) ** power * _side_taper(side)
    if not epidural:
        profile = profile * (1 + 0.2 * noise(rng, 20)).clamp(min=0)
    height = smooth(profile * thick, 3.0) * _side_taper(side)
    fade = torch.exp(-((push.depth.clamp(min=0) / rng.uniform(22, 36)) ** 2))
    outside = torch.exp(-((push.depth.clamp(max=0) / 10) ** 2))
    push.velocity += push.inward * (height * fade * outside)[None]

    lumps = noise(rng, 9, FINE)
    fy = torch.from_numpy(FINE.coordinates()[1])
    if kind == "chronic subdural":
        hu = rng.uniform(10, 36) + 2 * lumps
        if rng.random() < 0.4:  # cells settle toward the back
            hu = hu + rng.uniform(12, 32) * torch.sigmoid((rng.uniform(-40, 5) - fy) / rng.uniform(1, 5))
        if rng.random() < 0.3:  # membranes
            hu = hu + rng.uniform(10, 25) * torch.exp(-((noise(rng, 7, FINE) / 0.12) ** 2))
        code = CHRONIC_SUBDURAL
    else:
        hu = rng.uniform(56, 76) + 2 * lumps
        if kind == "mixed subdural" or rng.random() < 0.15:
            hu = hu - rng.uniform(15, 35) * torch.sigmoid(4 * (noise(rng, 8, FINE) + rng.uniform(-0.5, 0.8)))
        code = EPIDURAL if epidural else ACUTE_SUBDURAL
    if subject.surgery is not None and rng.random() < 0.4:  # air rises to the front
        hu = torch.where(fy > rng.uniform(10, 60), torch.tensor(-850.0), hu)
    on_side = torch.from_numpy(FINE.coordinates()[0]) * side > 0
    previous = lesions.extra_axial_hu if lesions.extra_axial_hu is not None else hu
    lesions.extra_axial_hu = torch.where(on_side, hu, previous)
    codes = torch.full(FINE.shape, float(code))
    lesions.extra_axial_code = torch.where(
        on_side, codes, codes if lesions.extra_axial_code is None else lesions.extra_axial_code
    )


def _add_infarct(rng, lesions: Lesions, push: _Push, side: int) -> None:
    """Infarct of a territory with swelling."""
    centre, radii = {
        0: ((44, -6, 12), (30, rng.uniform(36, 58), rng.uniform(26, 42))),  # middle cerebral artery
        1: ((34, -68, 4), (26, rng.uniform(22, 34), rng.uniform(16, 28))),  # posterior
        2: ((14, 38, 24), (14, rng.uniform(22, 40), rng.uniform(20, 36))),  # anterior
    }[int(rng.choice(3, p=[0.75, 0.15, 0.10]))]
    centre = (side * centre[0] + rng.normal(0, 3), centre[1] + rng.normal(0, 4), centre[2] + rng.normal(0, 4))
    distance = _ellipsoid(centre, radii, (0, 0, -8 * side), noise(rng, 9, FINE) * 0.15, nodes(FINE))
    x = torch.from_numpy(FINE.coordinates()[0]) * side
    lesions.infarcts.append(Infarct(torch.maximum(distance, 3 - x), float(rng.uniform(15, 25)), rng.uniform(0.5, 1)))
    offset = (nodes() - torch.tensor(centre, dtype=torch.float32)) / 40
    fall = rng.uniform(2, 9) * 2.2 / (1 + (offset**2).sum(-1)) ** 1.5
    push.velocity += (offset * (fall * push.inside)[..., None]).movedim(-1, 0)


def _shift_profile(rng, side: int, inside: torch.Tensor) -> torch.Tensor:
    """(3, X, Y, Z) unit sideways flow of the brain under a mass: largest at the septum, zero at the inner table."""
    x, y, z = (torch.from_numpy(a) for a in LATTICE.coordinates())
    y0, z0 = rng.uniform(-12, 14), rng.uniform(2, 18)
    wide_y, up, down = rng.uniform(24, 40), rng.uniform(15, 30), rng.uniform(15, 25)
    along = torch.exp(-0.5 * ((y - y0) / wide_y) ** 2)
    along = along * torch.exp(-0.5 * ((z - z0) / torch.where(z > z0, up, down)) ** 2)
    opposite = (-x * side).clamp(0, 70)  # the far hemisphere gives way less and less toward its skull
    lateral = torch.cos(opposite / 70 * np.pi / 2).clamp(min=1e-4) ** rng.uniform(1.2, 2.0)
    amount = along * lateral * inside
    profile = torch.zeros(3, *LATTICE.shape)
    profile[0] = -side * amount
    profile[1] = amount * 0.1 * torch.tanh((y - y0) / 10) * rng.uniform(-1, 1)
    return profile


def _septum_points() -> torch.Tensor:
    """(M, 3) points of the mid-plane where a shift is looked for."""
    y, z = np.meshgrid(np.arange(-40, 48, 4.0), np.arange(-8, 40, 4.0), indexing="ij")
    return torch.from_numpy(np.stack([0 * y, y, z], -1).reshape(-1, 3)).float()


def _reach_target(velocity: torch.Tensor, profile: torch.Tensor, side: int, target_mm: float, scale_x: float):
    """Velocity with so much of the profile that the septum moves by the wished shift (secant steps).

    The lesion's own push is the floor: the flow is turned back by no more than 2 mm. What the shift came out to be is
    measured afterwards.
    """
    points = _septum_points()

    def shift(amount: float) -> float:
        return float((-side * fields.follow(velocity + amount * profile, points)[:, 0]).max()) * scale_x

    own = shift(0.0)
    target = max(target_mm, own - 2.0)
    before, here = 0.0, (target - own) * 1.1 / scale_x
    value_before, value = own, shift(here)
    for _ in range(SEARCH_STEPS - 1):
        slope = (value - value_before) / (here - before) if abs(here - before) > 1e-4 else scale_x
        before, value_before = here, value
        here = float(np.clip(here + (target - value) / max(slope, 0.2), -10, 45))
        value = shift(here)
    return velocity + here * profile


def _draw_kinds(rng) -> list[str]:
    """Names of the lesions of a shifted case."""
    leading = str(
        rng.choice(
            ["bleed", "acute subdural", "mixed subdural", "chronic subdural", "epidural", "infarct", "contusions"],
            p=[0.36, 0.16, 0.06, 0.13, 0.10, 0.10, 0.09],
        )
    )
    kinds = [leading]
    if rng.random() < 0.25:
        kinds.append(str(rng.choice(["bleed", "acute subdural", "contusions", "infarct"])))
    return kinds


def _draw_masses(rng, lesions: Lesions, push: _Push, subject: Subject) -> None:
    """Lesions that push, and what they do to the ventricles."""
    side = lesions.side
    lesions.kinds = _draw_kinds(rng)
    for index, kind in enumerate(lesions.kinds):
        here = side if index == 0 or rng.random() < 0.75 else -side
        if kind == "bleed":
            sites = list(SITES.values())
            centre = np.array(sites[rng.choice(len(sites), p=[s[1] for s in sites])][0], dtype=float)
            volume = np.exp(rng.uniform(np.log(4), np.log(60))) + rng.uniform(1, 6) * lesions.target_mm
            volume = np.clip(volume, 4, 140) * float(np.prod(subject.scale)) ** 0.5 * (1.0 if index == 0 else 0.4)
            _add_bleed(
                rng, lesions, push, here, (centre + rng.normal(0, 4, 3)) * (here, 1, 1), volume, rng.uniform(0.12, 0.3)
            )
        elif kind == "contusions":
            for _ in range(rng.integers(2, 6)):
                site = np.array(CONTUSION_SITES[rng.integers(len(CONTUSION_SITES))]) + rng.normal(0, 4, 3)
                where = here if rng.random() < 0.7 else -here
                _add_bleed(rng, lesions, push, where, site * (where, 1, 1), rng.uniform(0.4, 9), 0.15)
        elif kind == "infarct":
            _add_infarct(rng, lesions, push, here)
        else:
            _add_extra_axial(rng, lesions, push, subject, here, kind)
            if kind == "chronic subdural" and rng.random() < 0.3:  # both sides
                _add_extra_axial(rng, lesions, push, subject, -here, kind)
    effect = min(lesions.target_mm, 14.0)
    push.velocity += ventricle_pull(subject.brain, side) * effect * rng.uniform(7, 15)
    push.velocity -= ventricle_pull(subject.brain, -side) * max(0.0, lesions.target_mm - 5) * rng.uniform(4, 9)
    lesions.squeeze = {side: min(1.0, effect / 9) * rng.uniform(0.6, 1), -side: min(0.5, effect / 25)}


def _draw_free_blood(rng, lesions: Lesions) -> None:
    """Blood in ventricles, in sulci and along the falx."""
    side = lesions.side
    in_brain = bool(lesions.bleeds)
    if rng.random() < (0.28 if in_brain else 0.06):
        lesions.intraventricular = {
            "level_y": float(rng.uniform(-40, 45)),
            "hu": float(rng.uniform(48, 70)),
            "sides": (-1, 1) if rng.random() < 0.6 else (side,),
        }
    if rng.random() < 0.22:
        lesions.subarachnoid = {"hu": float(rng.uniform(42, 66)), "share": float(rng.uniform(0.1, 0.6))}
    if rng.random() < 0.12:
        lesions.parafalcine = {
            "side": side if rng.random() < 0.75 else -side,
            "thickness_mm": float(rng.uniform(1, 5)),
            "hu": float(rng.uniform(54, 70)),
        }


def _draw_drain(rng, lesions: Lesions) -> None:
    """A ventricular drain from a burr hole in front of the coronal suture to the foramen of Monro."""
    side = int(rng.choice([-1, 1]))
    tip = np.array([side * rng.uniform(2, 9), rng.uniform(0, 14), rng.uniform(4, 14)])
    entry = np.array([side * rng.uniform(22, 34), rng.uniform(15, 40), rng.uniform(74, 84)])
    if rng.random() < 0.3:  # from behind
        tip = np.array([side * rng.uniform(8, 18), rng.uniform(-20, 5), rng.uniform(14, 22)])
        entry = np.array([side * rng.uniform(22, 38), -rng.uniform(95, 105), rng.uniform(25, 45)])
    lesions.drain = np.stack([tip, entry]).astype(np.float32)


def draw(rng: np.random.Generator, subject: Subject, variation: Variation) -> Lesions:
    """Draw the lesions of one case and build its lesion map."""
    lesions = Lesions(side=int(rng.choice([-1, 1])))
    depth = sample(depth_volume(), variation.to_template(nodes()), HEAD)[0]
    inward = fields.gradient(smooth(depth, 6.0))
    push = _Push(
        velocity=torch.zeros(3, *LATTICE.shape),
        depth=depth,
        inside=1 - torch.exp(-((depth.clamp(min=0) / 16) ** 2)),
        inward=inward / (inward.norm(dim=0) + 1e-3),
    )
    if subject.surgery is not None and rng.random() < 0.85:  # surgeons open the side of the mass
        lesions.side = subject.surgery.side
    if rng.random() < UNSHIFTED_SHARE:
        lesions.target_mm = float(rng.uniform(0, 1.2))
        if rng.random() < 0.3:  # small bleeds that do not push
            lesions.kinds = ["bleed"]
            for _ in range(rng.integers(1, 4)):
                where = int(rng.choice([-1, 1]))
                site = np.array(CONTUSION_SITES[rng.integers(len(CONTUSION_SITES))]) + rng.normal(0, 5, 3)
                _add_bleed(rng, lesions, push, where, site * (where, 1, 1), rng.uniform(0.3, 5), 0.05)
        if rng.random() < 0.3:
            _draw_free_blood(rng, lesions)
    else:
        small = rng.random() < 0.2
        lesions.target_mm = float(rng.uniform(0.5, 4) if small else np.clip(rng.gamma(3.2, 2.6), 1, MAX_SHIFT_MM))
        _draw_masses(rng, lesions, push, subject)
        _draw_free_blood(rng, lesions)
    if rng.random() < (0.12 if lesions.kinds else 0.02):
        _draw_drain(rng, lesions)
    profile = _shift_profile(rng, lesions.side, push.inside)
    scale_x = float(subject.scale[0])
    velocity = _reach_target(push.velocity, profile, lesions.side, lesions.target_mm, scale_x)
    lesions.backward = fields.exponential(-velocity)
    return lesions
