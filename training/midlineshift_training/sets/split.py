"""Which cases are learned from, which are checked with, which are left for the end: drawn by patient."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

FEWEST = 3
"""Patients of a group from which every share above 0 gets at least one."""


def split_by_patient(shifted: Iterable[tuple[str, bool]], validation: float, test: float, seed: int) -> dict[str, str]:
    """Patient -> ``train``, ``validation`` or ``test``; patients with a shifted case are dealt out apart from the others.

    Args:
        shifted: (patient, whether the case is shifted) of every case, in any order.
        validation, test: shares of the patients, together less than 1.
        seed: of the draw.
    """
    has_shift: dict[str, bool] = {}
    for patient, one in shifted:
        has_shift[patient] = has_shift.get(patient, False) or one
    result = {}
    rng = np.random.default_rng(seed)
    for group in (True, False):
        patients = np.array(sorted(name for name, one in has_shift.items() if one == group), dtype=object)
        patients = patients[rng.permutation(len(patients))]
        counts = [_count(share, len(patients)) for share in (validation, test)]
        names = np.repeat(["validation", "test", "train"], [*counts, len(patients) - sum(counts)])
        result |= dict(zip(patients.tolist(), names.tolist(), strict=True))
    return result


def _count(share: float, patients: int) -> int:
    return max(round(share * patients), int(share > 0 and patients >= FEWEST))
