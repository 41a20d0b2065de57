"""How much the measured shift changes when the same head is given in another way."""

from __future__ import annotations

from typing import Any

import numpy as np

from midlineshift_training.evaluation import bootstrap
from midlineshift_training.evaluation.agreement import proportion

SMALL_MM = 1.0
"""A smaller change than readers differ by."""


def summarise_changes(rows: list[dict], seed: int = 0) -> dict:
    """Sum up the changes of the measured shift per alteration and over all.

    Args:
        rows: ``alteration``, ``case``, ``change_mm`` (altered minus expected; None if the altered scan was refused),
            ``refused`` (code).

    Returns:
        ``cases``; ``overall``: share of changes of at most 1 mm or refused, its interval by bootstrap over scans;
        ``of_read``: the same share among those that were measured; ``alterations``: name -> ``n``, ``refused``, ``codes``,
        ``share`` with its exact interval, and over those measured ``median``, ``p95`` and ``largest`` |change| in mm.
    """
    cases = np.array([row["case"] for row in rows])
    good = np.array([row["change_mm"] is None or abs(row["change_mm"]) <= SMALL_MM for row in rows])
    measured = np.array([row["change_mm"] is not None for row in rows])

    def share(which: np.ndarray) -> dict:
        weights = bootstrap.draw_weights(cases[which], seed)
        return bootstrap.interval(bootstrap.mean(weights, good[which].astype(float))) | {"of": int(which.sum())}

    result: dict[str, Any] = {"cases": len(set(cases)), "overall": share(np.full(len(rows), True)), "alterations": {}}
    if measured.any():
        result["of_read"] = share(measured)
    for name in dict.fromkeys(row["alteration"] for row in rows):
        mine = [row for row in rows if row["alteration"] == name]
        sizes = np.abs([row["change_mm"] for row in mine if row["change_mm"] is not None])
        entry = {
            "n": len(mine),
            "refused": len(mine) - len(sizes),
            "codes": counted(row["refused"] for row in mine),
            "share": proportion(int((sizes <= SMALL_MM).sum()) + len(mine) - len(sizes), len(mine)),
        }
        if len(sizes):
            entry |= {
                "median": float(np.median(sizes)),
                "p95": float(np.percentile(sizes, 95)),
                "largest": float(sizes.max()),
            }
        result["alterations"][name] = entry
    return result


def counted(codes) -> dict[str, int]:
    """Count how often each non-empty code comes, the most frequent first."""
    found: dict[str, int] = {}
    for code in codes:
        if code:
            found[code] = found.get(code, 0) + 1
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
