"""What pushes the brain: bleeds, infarcts and swelling, and the map from the shifted head back to the unshifted one.

Lesions live in the subject's shifted head (head units, the lattice of ``fields.py``). The lesion map b = exp(-v) looks up
where tissue was before the lesion; v is a stationary velocity field that vanishes on the mid-plane at the inner table, so
that the attachments of the falx stay where they are.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from midlineshift_training.datasets.phantoms import fields
from midlineshift_training.datasets.phantoms.falx import sideways_freedom
from midlineshift_training.datasets.phantoms.fields import LATTICE, nodes, noise, sample, smooth
from midlineshift_training.datasets.phantoms.subject import Subject
from midlineshift_training.datasets.phantoms.tissue_model import HEAD, Grid
from midlineshift_training.datasets.phantoms.variation import Variation, depth_volume, ventricle_pull

# Label codes of the lesion map; a mass is a tumour, an abscess or a cyst.
PARENCHYMAL, ACUTE_SUBDURAL, CHRONIC_SUBDURAL, EPIDURAL, INFARCT, INTRAVENTRICULAR, SUBARACHNOID, MASS = range(1, 9)

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
DEEP_SITES = {"basal ganglia": 0.42, "thalamus": 0.16, "temporal": 0.17, "frontal": 0.15, "parietal": 0.10}
CONTUSION_SITES = ((28, 52, -6), (14, 58, 4), (50, 8, -18), (54, -20, -14), (40, 42, 10), (48, -40, 20))
SEARCH_STEPS = 5
UNSHIFTED_SHARE = 0.25
OLD_INFARCT_SHARE = 0.15  # of the unshifted
LARGE_MM, MAX_SHIFT_MM = 8.0, 20.0
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


@dataclass
class Lesions:
    """All lesions of one case.

    Attributes:
        kinds: names, empty for an unshifted head without lesion.
        side: +1 pushes from x > 0 (the patient's right), -1 from the left, of the leading lesion; an old infarct pulls and
            so lies on the other side.
        target_mm: wished shift at the septum.
        backward: (3, X, Y, Z) displacement of b on the lattice, head units.
        bleeds, infarcts: lesions inside the brain; tumours, abscesses and cysts are among the bleeds.
        extra_axial_hu: (X, Y, Z) HU on FINE of blood between skull and brain.
        extra_axial_code: (X, Y, Z) label on FINE.
        intraventricular, subarachnoid, parafalcine: settings of blood that lies in CSF or along the falx, or None.
        drain: end points (2, 3) in head units of a ventricular drain, or None.
        trapped: the other side's lateral ventricle is dilated.
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
    trapped: bool = False
    squeeze: dict[int, float] = field(default_factory=lambda: {-1: 0.0, 1: 0.0})


@dataclass
class Bleed:
    """Blood or another mass in the brain: (2, *FINE.shape) signed distance (mm, negative inside) and HU, its rim of oedema.

    ``centre`` (3,) and ``reach_mm`` bound the ball outside which it changes nothing; ``side`` is the half of the brain that
    it does not leave; ``code`` its label.
    """

    distance_hu: torch.Tensor
    rim_mm: float
    rim_hu: float
    centre: np.ndarray
    reach_mm: float
    side: int
    code: int


@dataclass
class Infarct:
    """Hypodense territory: signed distance (mm, negative inside) on FINE, its HU and how far grey matter is lost."""

    distance: torch.Tensor
    hu: float
    depth: float


@dataclass
class _Push:
    """Velocity under construction, with what it needs.

    ``velocity`` makes room for blood at the skull and works on the ventricles; ``radial``, away from lesions in the
    brain, may be weakened where it would shift too far.
    """

    velocity: torch.Tensor
    radial: torch.Tensor
    depth: torch.Tensor
    inside: torch.Tensor
    inward: torch.Tensor


def _ellipsoid(centre, radii, turn_deg, roughness, points) -> torch.Tensor:
    """Approximate signed distance (mm) to a rough ellipsoid at (..., 3) points."""
    turn = torch.tensor(Rotation.from_euler("xyz", turn_deg, degrees=True).as_matrix(), dtype=torch.float32)
    offset = (points - torch.tensor(centre, dtype=torch.float32)) @ turn
    radii = torch.tensor(radii, dtype=torch.float32)
    return ((offset / radii).norm(dim=-1) - 1 - roughness) * radii.min()


def _lobed_distance(rng, centre, radius: float, lobes: int) -> torch.Tensor:
    """(*FINE.shape) approximate signed distance (mm) to a rough ellipsoid, smoothly joined with ``lobes`` smaller ones."""
    shape = np.array([rng.uniform(0.65, 1.05), rng.uniform(0.95, 1.7), rng.uniform(0.75, 1.25)])
    radii = radius * shape / shape.prod() ** (1 / 3)
    rough = noise(rng, 8, FINE) * rng.uniform(0.06, 0.17) + noise(rng, 4, FINE) * rng.uniform(0.04, 0.14)
    if rng.random() < 0.5:
        rough = rough + noise(rng, 14, FINE) * rng.uniform(0.1, 0.25)
    points = nodes(FINE)
    distance = _ellipsoid(centre, radii, rng.uniform(-25, 25, 3), rough, points)
    for _ in range(lobes):
        toward = rng.normal(size=3) * (0.8, 1.2, 0.9)
        at = centre + toward / np.linalg.norm(toward) * radii * rng.uniform(0.7, 1.15)
        lobe = _ellipsoid(at, radius * rng.uniform(0.3, 0.6, 3), rng.uniform(-40, 40, 3), rough, points)
        distance = -3 * torch.logaddexp(-distance / 3, -lobe / 3)
    return distance


def _mass_hu(rng, kind: str, distance: torch.Tensor, centre, radius: float, csf_hu: float) -> torch.Tensor:
    """(*FINE.shape) HU inside a mass in the brain."""
    lumps = noise(rng, 4, FINE) * rng.uniform(1, 4) + noise(rng, 10, FINE) * rng.uniform(1, 4)
    if kind == "cyst":
        return torch.full(FINE.shape, csf_hu)
    if kind == "abscess":
        wall = torch.sigmoid((distance + rng.uniform(2.5, 5)) / 0.8)
        return rng.uniform(10, 22) + rng.uniform(18, 32) * wall
    if kind == "tumour":
        hu = rng.uniform(20, 50) + 1.5 * lumps
        dead = torch.sigmoid((-distance - rng.uniform(0.2, 0.7) * radius) / 2) if rng.random() < 0.5 else 0.0
        return hu + (rng.uniform(8, 20) - hu) * dead
    hu = rng.uniform(54, 76) + lumps
    if rng.random() < 0.25:  # fluid level or swirl of unclotted blood
        level = torch.from_numpy(FINE.coordinates()[1]) - float(centre[1]) - float(rng.uniform(-0.4, 0.4) * radius)
        hu = hu - rng.uniform(10, 28) * torch.sigmoid((level + 2 * noise(rng, 6, FINE)) / 1.5)
    return hu


def _add_bleed(
    rng, lesions: Lesions, push: _Push, subject: Subject, side: int, centre, volume_ml: float, mass: float, kind="bleed"
) -> None:
    """One mass in the brain: outline, HU, rim of oedema, and its own radial push (``mass``: share of its radius)."""
    radius = (volume_ml * 1e3 * 3 / 4 / np.pi) ** (1 / 3)
    centre = np.array(centre, dtype=np.float32)
    centre[0] = side * max(abs(centre[0]), radius * 0.75 + 3)
    lobes = int(rng.integers(0, 4)) if kind == "bleed" and volume_ml > 12 else 0
    distance = _lobed_distance(rng, centre, radius * 0.97**lobes, lobes)
    hu = _mass_hu(rng, kind, distance, centre, radius, subject.csf_hu)
    rim = float(
        {"cyst": -9.0, "tumour": rng.uniform(2, 20), "abscess": rng.uniform(5, 18)}.get(kind, rng.uniform(1.5, 10))
    )
    reach = float((nodes(FINE)[distance < max(rim, 0) + 6] - torch.tensor(centre)).norm(dim=-1).max()) + FINE.spacing
    code = PARENCHYMAL if kind == "bleed" else MASS
    rim_hu = float(rng.uniform(15, 24))
    lesions.bleeds.append(Bleed(torch.stack([distance, hu]), rim, rim_hu, centre, reach, side, code))
    offset = (nodes() - torch.tensor(centre)) / radius
    fall = mass * radius * 2.2 / (1 + (offset**2).sum(-1)) ** 1.5
    push.radial += (offset * (fall * push.inside)[..., None]).movedim(-1, 0)


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
    if lesions.target_mm >= LARGE_MM and side == lesions.side:
        thick = max(thick, 0.8 * lesions.target_mm) * rng.uniform(1.0, 1.5)
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
    push.radial += (offset * (fall * push.inside)[..., None]).movedim(-1, 0)


def _add_old_infarct(rng, lesions: Lesions, push: _Push, subject: Subject) -> None:
    """A scar filled with fluid; the ventricle beside it is wide and the midline drawn a little toward it."""
    scar = -lesions.side
    _add_infarct(rng, lesions, push, scar)
    push.radial.zero_()
    lesions.kinds = ["old infarct"]
    lesions.infarcts[-1].hu = subject.csf_hu + float(rng.uniform(0, 8))
    lesions.infarcts[-1].depth = float(rng.uniform(0.8, 1.0))
    lesions.target_mm = float(rng.uniform(0.3, 2.5))
    push.velocity -= ventricle_pull(subject.brain, scar) * rng.uniform(10, 40)


def _shift_profile(rng, side: int, inside: torch.Tensor) -> torch.Tensor:
    """(3, X, Y, Z) unit sideways flow of the brain under a mass: largest at the septum, zero at the inner table."""
    x, y, z = (torch.from_numpy(a) for a in LATTICE.coordinates())
    y0, z0 = rng.uniform(-16, 16), rng.uniform(2, 15)
    wide_y, up, down = rng.uniform(20, 44), (44 - z0) * rng.uniform(0.38, 0.6), rng.uniform(13, 25)
    along = torch.exp(-0.5 * ((y - y0) / wide_y) ** 2)
    along = along * torch.exp(-0.5 * ((z - z0) / torch.where(z > z0, up, down)) ** 2)
    bowed = ((y - rng.uniform(-8, 16)) / rng.uniform(10, 18)) ** 2 + ((z - rng.uniform(2, 14)) / 12) ** 2
    along = along + rng.uniform(0, 0.45) * torch.exp(-bowed)  # septum and third ventricle give way most
    opposite = (-x * side).clamp(0, 70)  # the far hemisphere gives way less and less toward its skull
    lateral = torch.cos(opposite / 70 * np.pi / 2).clamp(min=1e-4) ** rng.uniform(1.2, 2.0)
    amount = along * lateral * inside
    profile = torch.zeros(3, *LATTICE.shape)
    profile[0] = -side * amount
    # What is pushed also turns: the near ventricle forward or backward, up or down against the other one.
    profile[1] = amount * (0.1 * torch.tanh((y - y0) / 10) * rng.uniform(-1, 1) + x / 40 * rng.uniform(-0.4, 0.4))
    profile[2] = amount * x / 40 * rng.uniform(-0.3, 0.3)
    return profile


SEPTUM_Y, SEPTUM_Z = np.arange(-10, 19, 4.0), np.arange(-8, 33, 4.0)  # the septum window of ``truth.py``, about


def _shift_at_septum(velocity: torch.Tensor) -> float:
    """Largest x (head units) that the flow adds to the mid-plane at the septum, smoothed like a case's label."""
    y, z = np.meshgrid(SEPTUM_Y, SEPTUM_Z, indexing="ij")
    points = torch.from_numpy(np.stack([0 * y, y, z], -1).reshape(-1, 3)).float()
    moved = fields.follow(velocity, points)[:, 0].reshape(y.shape).mean(0).numpy()
    inner = gaussian_filter1d(moved, 1.25, mode="nearest")[2:-2]
    return float(inner[np.abs(inner).argmax()])


def _reach_target(push: _Push, profile: torch.Tensor, side: int, target_mm: float, scale_x: float) -> torch.Tensor:
    """Velocity with so much of the profile that the septum moves by the wished shift (secant steps).

    Where the lesions' own push goes too far it is weakened, and the flow turned back by no more than 3 mm. What the shift
    came out to be is measured afterwards.
    """

    def shift(velocity: torch.Tensor) -> float:
        return -side * _shift_at_septum(velocity) * scale_x

    own = shift(push.velocity + push.radial)
    velocity = push.velocity
    if own > target_mm:
        without = shift(push.velocity)
        weaker = float(np.clip((target_mm - without) / max(own - without, 1e-3), 0.3, 1))
        velocity = velocity + weaker * push.radial
        own = shift(velocity)
    else:
        velocity = velocity + push.radial
    target = max(target_mm, own - 3.0)
    before, here = 0.0, (target - own) * 1.1 / scale_x
    value_before, value = own, shift(velocity + here * profile)
    for _ in range(SEARCH_STEPS - 1):
        if abs(value - target) < 0.05:
            break
        slope = (value - value_before) / (here - before) if abs(here - before) > 1e-4 else scale_x
        before, value_before = here, value
        here = float(np.clip(here + (target - value) / max(slope, 0.2), -10, 60))
        value = shift(velocity + here * profile)
    return velocity + here * profile


def _draw_kinds(rng, large: bool) -> list[str]:
    """Names of the lesions of a shifted case."""
    kinds = [str(rng.choice(list(LEADING), p=[share[large] for share in LEADING.values()]))]
    if rng.random() < 0.25:
        kinds.append(str(rng.choice(["bleed", "acute subdural", "contusions", "infarct"])))
    return kinds


def _draw_masses(rng, lesions: Lesions, push: _Push, subject: Subject) -> None:
    """Lesions that push."""
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
            _add_bleed(rng, lesions, push, subject, here, where, volume, rng.uniform(0.15, 0.4), kind)
        elif kind == "contusions":
            for _ in range(rng.integers(2, 6)):
                site = np.array(CONTUSION_SITES[rng.integers(len(CONTUSION_SITES))]) + rng.normal(0, 4, 3)
                where = here if rng.random() < 0.7 else -here
                volume = rng.uniform(0.4, 20 if large else 9)
                _add_bleed(rng, lesions, push, subject, where, site * (where, 1, 1), volume, 0.15)
        elif kind == "infarct":
            _add_infarct(rng, lesions, push, here)
        else:
            _add_extra_axial(rng, lesions, push, subject, here, kind)
            if kind == "chronic subdural" and rng.random() < 0.3:  # both sides
                _add_extra_axial(rng, lesions, push, subject, -here, kind)
    _squeeze_ventricles(rng, lesions, push, subject)


def _squeeze_ventricles(rng, lesions: Lesions, push: _Push, subject: Subject) -> None:
    """The near lateral ventricle and the sulci beside it vanish with the shift; the far ventricle may be trapped."""
    side, shift = lesions.side, lesions.target_mm
    push.velocity += ventricle_pull(subject.brain, side) * min(shift, 12.0) * rng.uniform(8, 15)
    lesions.trapped = bool(shift > 6 and rng.random() < 0.5)
    widening = rng.uniform(5, 11) if lesions.trapped else rng.uniform(0, 4)
    push.velocity -= ventricle_pull(subject.brain, -side) * min(max(0.0, shift - 4), 10.0) * widening
    lesions.squeeze = {
        side: float(np.clip((shift - 1) / 8, 0, 1) * rng.uniform(0.75, 1)),
        -side: 0.0 if lesions.trapped else min(0.4, shift / 30),
    }


def _draw_free_blood(rng, lesions: Lesions) -> None:
    """Blood in ventricles, in sulci and along the falx."""
    side = lesions.side
    in_brain = bool(lesions.bleeds)
    ruptured = 0.5 if lesions.target_mm >= LARGE_MM else 0.28
    if rng.random() < (ruptured if in_brain else 0.06):
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


def _draw_target(rng, opened: bool) -> float:
    """Wished shift (mm): small, medium or, most often after a craniectomy, large."""
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
    push = _Push(
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
            _add_old_infarct(rng, lesions, push, subject)
        elif rng.random() < 0.3:  # small bleeds that do not push
            lesions.kinds = ["bleed"]
            for _ in range(rng.integers(1, 4)):
                where = int(rng.choice([-1, 1]))
                site = np.array(CONTUSION_SITES[rng.integers(len(CONTUSION_SITES))]) + rng.normal(0, 5, 3)
                _add_bleed(rng, lesions, push, subject, where, site * (where, 1, 1), rng.uniform(0.3, 5), 0.05)
        if rng.random() < 0.3:
            _draw_free_blood(rng, lesions)
    else:
        lesions.target_mm = _draw_target(rng, opened)
        _draw_masses(rng, lesions, push, subject)
        _draw_free_blood(rng, lesions)
    if rng.random() < (0.12 if lesions.kinds else 0.02):
        _draw_drain(rng, lesions)
    profile = _shift_profile(rng, lesions.side, push.inside)
    freedom = sideways_freedom(rng)
    for flow in (push.velocity, push.radial, profile):
        flow[0] *= freedom
    velocity = _reach_target(push, profile, lesions.side, lesions.target_mm, float(subject.scale[0]))
    lesions.backward = fields.exponential(-velocity)
    return lesions
