"""What a phantom's lesions are made of: data classes, label codes and the grid of their masks.

Lesions are described in the subject's shifted head, in head units on the lattice of ``fields.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from midlineshift_training.datasets.phantoms.tissue_model import Grid

# Label codes of the lesion map; a mass is a tumour, an abscess or a cyst.
PARENCHYMAL, ACUTE_SUBDURAL, CHRONIC_SUBDURAL, EPIDURAL, INFARCT, INTRAVENTRICULAR, SUBARACHNOID, MASS = range(1, 9)

FINE = Grid((-80.0, -116.0, -84.0), 2.5, (65, 80, 70))
"""Grid of lesion masks, head units."""
LARGE_MM = 8.0
"""Wished shifts from here on count as large: their lesions are larger and nearer to the ventricle."""


@dataclass
class Lesions:
    """All lesions of one case.

    Attributes:
        kinds: names, empty for an unshifted head without lesion.
        side: +1 pushes from x > 0 (the patient's right), -1 from the left, of the leading lesion; an old infarct pulls and
            so is on the other side.
        target_mm: wished shift at the septum.
        backward: (3, X, Y, Z) displacement of b on the lattice, head units.
        bleeds, infarcts: lesions inside the brain; tumours, abscesses and cysts are among the bleeds.
        extra_axial_hu: (X, Y, Z) HU on FINE of blood between skull and brain.
        extra_axial_code: (X, Y, Z) label on FINE.
        intraventricular, subarachnoid, parafalcine: settings of blood that is in CSF or along the falx, or None.
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
class Push:
    """Velocity under construction, with what it needs.

    ``velocity`` makes room for blood at the skull and works on the ventricles; ``radial``, away from lesions in the
    brain, may be weakened where it would shift too far.
    """

    velocity: torch.Tensor
    radial: torch.Tensor
    depth: torch.Tensor
    inside: torch.Tensor
    inward: torch.Tensor
