"""Draw, patient by patient, which cases are for training, for validation and for the test."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

FEWEST = 3
"""Patients of a group from which every share above 0 gets at least one."""


def split_by_patient(
    shifted: Iterable[tuple[str, bool | None]], validation: float, test: float, seed: int
) -> dict[str, str]:
    """Assign each patient to ``train``, ``validation`` or ``test``.

    Patients with a shifted case, those with unshifted cases only, and those without a label are drawn separately, so that
    each split has its share of them.

    Args:
        shifted: (patient, whether the case is shifted; None: not known) of every case, in any order.
        validation, test: shares of the patients, together less than 1.
        seed: of the draw.
    """
    labels: dict[str, set[bool | None]] = {}
    for patient, one in shifted:
        labels.setdefault(patient, set()).add(one)
    result: dict[str, str] = {}
    rng = np.random.default_rng(seed)
    groups: list[list[str]] = [[], [], []]
    for patient in sorted(labels):
        groups[0 if True in labels[patient] else 1 if False in labels[patient] else 2].append(patient)
    for group in groups:
        patients = np.array(group, dtype=object)
        patients = patients[rng.permutation(len(patients))]
        counts = [_count(share, len(patients)) for share in (validation, test)]
        names = np.repeat(["validation", "test", "train"], [*counts, len(patients) - sum(counts)])
        result |= dict(zip(patients.tolist(), names.tolist(), strict=True))
    return result


def _count(share: float, patients: int) -> int:
    return max(round(share * patients), int(share > 0 and patients >= FEWEST))
