"""Who the phantom is: age group, head size and shape, tissue values, state of brain and skull. All drawn once a case."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ICBM, COLIN = 0, 1
SURGERY_SHARE = 0.18
SWOLLEN_SHARE = 0.07


@dataclass(frozen=True)
class Surgery:
    """Craniotomy (flap put back) or craniectomy (flap left out).

    Attributes:
        side: +1 at x > 0.
        centre: (3,) template mm, on the vault.
        radius_mm: of a flap put back; over a missing one the mean of ``half_axes_mm``.
        half_axes_mm: (2,) along y and z of a missing flap, seen from the side.
        removed: the flap is missing.
        bulge_mm: how far the brain swells out of the gap (negative: sunken).
    """

    side: int
    centre: tuple[float, float, float]
    radius_mm: float
    half_axes_mm: tuple[float, float]
    removed: bool
    bulge_mm: float


@dataclass(frozen=True)
class Subject:
    """One person.

    Attributes:
        brain: ICBM or COLIN.
        age: "infant", "child", "adult" or "old".
        scale: (3,) subject mm per template mm along x, y, z.
        atrophy: -0.3 slit ventricles and no sulci ... 1.2 wide ones.
        white_hu, grey_hu, csf_hu: tissue values.
        folding: share of the atlas' cortex that is replaced by random folds, 0..1.
        surgery: an opened skull, or None.
    """

    brain: int
    age: str
    scale: np.ndarray
    atrophy: float
    white_hu: float
    grey_hu: float
    csf_hu: float
    folding: float
    surgery: Surgery | None

    @property
    def young(self) -> bool:
        """Return whether the head is an infant's or a child's."""
        return self.age in ("infant", "child")


def _draw_surgery(rng: np.random.Generator) -> Surgery | None:
    """Draw an opened skull, now and then."""
    if rng.random() > SURGERY_SHARE:
        return None
    side = int(rng.choice([-1, 1]))
    if rng.random() < 0.4:  # put back
        centre = (side * rng.uniform(50, 64), rng.uniform(-28, 32), rng.uniform(14, 42))
        radius = float(rng.uniform(24, 40))
        return Surgery(side, centre, radius, (radius, radius), removed=False, bulge_mm=0.0)
    # Fronto-temporo-parietal, or a smaller one.
    large = rng.random() < 0.7
    axes = (float(rng.uniform(48, 66)), float(rng.uniform(38, 50))) if large else tuple(rng.uniform(28, 46, 2).tolist())
    centre = (side * rng.uniform(56, 64), rng.uniform(-14, 16), rng.uniform(14, 30))
    bulge = rng.uniform(2, 20) if rng.random() < 0.75 else rng.uniform(-10, 2)
    return Surgery(side, centre, sum(axes) / 2, axes, removed=True, bulge_mm=float(bulge))


def draw(rng: np.random.Generator) -> Subject:
    """Draw a person."""
    age = str(rng.choice(["infant", "child", "adult", "old"], p=[0.10, 0.15, 0.50, 0.25]))
    low, high = {"infant": (0.70, 0.86), "child": (0.84, 0.97), "adult": (0.94, 1.05), "old": (0.94, 1.05)}[age]
    shape = np.exp(rng.normal(0, [0.035, 0.035, 0.03]))
    if rng.random() < 0.2:  # brachycephaly and dolichocephaly
        width = rng.uniform(-0.11, 0.11)
        shape = shape * np.exp([width, -width, 0])
    swollen = rng.random() < SWOLLEN_SHARE
    atrophy = {
        "infant": rng.normal(0.25, 0.35),
        "child": rng.normal(0.0, 0.2),
        "adult": rng.normal(0.15, 0.3),
        "old": rng.normal(0.75, 0.3),
    }[age]
    white = rng.uniform(21, 27) if age == "infant" else rng.uniform(26.5, 31.5)
    contrast = rng.uniform(2, 6) if age == "infant" else rng.uniform(7, 12)
    if swollen:  # diffuse oedema: no CSF spaces, grey and white alike
        atrophy, contrast = -0.3, contrast * rng.uniform(0.2, 0.6)
    brain = int(rng.random() < 0.5)
    return Subject(
        brain=brain,
        age=age,
        scale=(rng.uniform(low, high) * shape).astype(np.float32),
        atrophy=float(np.clip(atrophy, -0.3, 1.2)),
        white_hu=float(white),
        grey_hu=float(white + contrast),
        csf_hu=float(rng.uniform(3, 10)),
        folding=float(rng.choice([0.0, 1.0], p=[0.65, 0.35]) if brain == COLIN else rng.uniform(0.6, 1.0)),
        surgery=_draw_surgery(rng),
    )
