"""Who the phantom is: age group, head size and shape, tissue values, state of brain and skull. All drawn once a case."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ICBM, COLIN = 0, 1


@dataclass(frozen=True)
class Subject:
    """One person.

    Attributes:
        brain: ICBM or COLIN.
        age: "infant", "child", "adult" or "old".
        scale: (3,) subject mm per template mm along x, y, z.
        atrophy: -0.3 slit ventricles and no sulci ... 1.2 wide ones.
        white_hu, grey_hu, csf_hu: tissue values.
    """

    brain: int
    age: str
    scale: np.ndarray
    atrophy: float
    white_hu: float
    grey_hu: float
    csf_hu: float

    @property
    def young(self) -> bool:
        return self.age in ("infant", "child")


def draw(rng: np.random.Generator) -> Subject:
    """Draw a person."""
    age = str(rng.choice(["infant", "child", "adult", "old"], p=[0.10, 0.15, 0.50, 0.25]))
    low, high = {"infant": (0.70, 0.86), "child": (0.84, 0.97), "adult": (0.94, 1.05), "old": (0.94, 1.05)}[age]
    shape = np.exp(rng.normal(0, [0.035, 0.035, 0.03]))
    if rng.random() < 0.2:  # brachycephaly and dolichocephaly
        width = rng.uniform(-0.11, 0.11)
        shape = shape * np.exp([width, -width, 0])
    atrophy = {
        "infant": rng.normal(0.25, 0.35),
        "child": rng.normal(0.0, 0.2),
        "adult": rng.normal(0.15, 0.3),
        "old": rng.normal(0.75, 0.3),
    }[age]
    white = rng.uniform(21, 27) if age == "infant" else rng.uniform(26.5, 31.5)
    contrast = rng.uniform(3, 7) if age == "infant" else rng.uniform(7, 12)
    return Subject(
        brain=int(rng.random() < 0.5),
        age=age,
        scale=(rng.uniform(low, high) * shape).astype(np.float32),
        atrophy=float(np.clip(atrophy, -0.3, 1.2)),
        white_hu=float(white),
        grey_hu=float(white + contrast),
        csf_hu=float(rng.uniform(3, 10)),
    )
