"""Summarise many cases in a few lines: how many were measured, and why the others were not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from MidlineShiftLogic.reporting.results_csv import ERROR, MEASURED, REFUSED
from MidlineShiftLogic.text import counted

MOST_NAMES = 3


class CohortSummary:
    """Count cases by status and code; of each kind a few names and one sentence are kept, never all."""

    def __init__(self) -> None:
        self.counts = {MEASURED: 0, REFUSED: 0, ERROR: 0}
        self.unchanged = 0
        self._reasons: dict[tuple[str, str], dict[str, Any]] = {}

    def add(self, row: dict[str, str], unchanged: bool = False) -> None:
        """Count a row of the cohort's table; ``unchanged`` for one of an earlier run."""
        self.counts[row["status"]] += 1
        self.unchanged += unchanged
        if row["status"] == MEASURED:
            return
        reason = self._reasons.setdefault(
            (row["status"], row["code"]), {"count": 0, "cases": [], "message": row["message"]}
        )
        reason["count"] += 1
        if len(reason["cases"]) < MOST_NAMES:
            reason["cases"].append(row["case"])

    @property
    def total(self) -> int:
        """Return the number of cases."""
        return sum(self.counts.values())

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form: counts, and the reasons, commonest first."""
        return {
            "cases": self.total,
            **self.counts,
            "unchanged": self.unchanged,
            "reasons": [{"status": status, "code": code, **about} for (status, code), about in self._sorted()],
        }

    def lines(self) -> Iterable[str]:
        """Yield the summary as lines for people."""
        counts = self.counts
        yield (
            f"{counted(self.total, 'case')}: {counts[MEASURED]} measured, {counts[REFUSED]} refused, {counts[ERROR]} not "
            "measured for an error" + (f"; {self.unchanged} of them earlier and unchanged" if self.unchanged else "")
        )
        for (status, code), about in self._sorted():
            names = ", ".join(about["cases"]) + (", …" if about["count"] > len(about["cases"]) else "")
            yield f"  {about['count']} {status}, {code}: {names}"
            yield f"      such as: {about['message']}"

    def _sorted(self) -> list[tuple[tuple[str, str], dict[str, Any]]]:
        return sorted(self._reasons.items(), key=lambda item: (-item[1]["count"], item[0]))
