"""What the released model is asked to reach, and whether it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """One number that was asked for.

    Attributes:
        set: what it is measured on. what: in words, with its unit.
        low, high: range it has to lie in; None: no limit there.
        find: evaluation -> the number; KeyError or None where it was not measured.
    """

    set: str
    what: str
    low: float | None
    high: float | None
    find: Callable[[dict], float | None]

    @property
    def wanted(self) -> str:
        """The range in words."""
        if self.low is None:
            return f"{self.high:g}" if self.high == 0 else f"at most {self.high:g}"
        if self.high is None:
            return f"at least {self.low:g}"
        return f"{self.low:g} to {self.high:g}"


def _missed(shares: dict) -> int:
    return shares["of"] - shares["count"]


def _largest_ratio(evaluation: dict) -> float:
    """Reading over truth of the largest shift read by the readers."""
    return evaluation["sets"]["readings"]["largest_shift"]["ratio"]


def _covers(evaluation: dict, name: str) -> dict:
    return evaluation["sets"][name]["intervals"]["coverage"]


TARGETS = (
    Target("phantoms", "cases", 200, None, lambda e: e["sets"]["phantoms"]["cases"]),
    Target("phantoms", "MAE, mm", None, 0.4, lambda e: e["sets"]["phantoms"]["mae"]["value"]),
    Target("phantoms", "bias, mm", -0.15, 0.15, lambda e: e["sets"]["phantoms"]["bias"]["value"]),
    Target("phantoms", "ICC", 0.99, None, lambda e: e["sets"]["phantoms"]["icc"]["value"]),
    Target(
        "phantoms", "median reading of the unshifted (below 0.5 mm), mm", None, 0.4,
        lambda e: e["sets"]["phantoms"]["unshifted"]["median_reading"]["value"],
    ),
    Target("phantoms", "AUC of 5 mm", 0.99, None, lambda e: e["sets"]["phantoms"]["at_5_mm"]["auc"]["value"]),
    Target("readings", "MAE, mm", None, 0.8, lambda e: e["sets"]["readings"]["mae"]["value"]),
    Target("readings", "3 mm and more read to the wrong side", None, 0, lambda e: _missed(e["sets"]["readings"]["side"])),
    Target(
        "readings", "5 mm and more missed", None, 0,
        lambda e: _missed(e["sets"]["readings"]["at_5_mm"]["sensitivity"]),
    ),
    Target(
        "readings", "less than 5 mm read as more", None, 0,
        lambda e: _missed(e["sets"]["readings"]["at_5_mm"]["specificity"]),
    ),
    Target("readings", "largest shift, reading over readers", 0.8, 1.2, _largest_ratio),
    Target("no reading", "reads 3 mm and more", None, 0, lambda e: e["sets"]["no reading"]["at_least_3_mm"]["count"]),
    Target("no reading", "median reading, mm", None, 1.0, lambda e: e["sets"]["no reading"]["median_reading"]["value"]),
    Target("known shifts", "slope of reading on truth", 0.95, 1.05, lambda e: e["known_shifts"]["slope"]["value"]),
    Target("altered scans", "share changed by 1 mm at most, or refused", 0.95, None,
           lambda e: e["robustness"]["overall"]["value"]),
    Target("90 % intervals, phantoms", "coverage", 0.85, 0.95, lambda e: _covers(e, "phantoms")["value"]),
    # few cases: the exact interval of the coverage has to reach into 0.85 .. 0.95
    Target("90 % intervals, readings", "coverage, upper end of its interval", 0.85, None,
           lambda e: _covers(e, "readings")["high"]),
    Target("90 % intervals, readings", "coverage, lower end of its interval", None, 0.95,
           lambda e: _covers(e, "readings")["low"]),
)  # fmt: skip


def judge(evaluation: dict) -> list[dict]:
    """``set``, ``what``, ``wanted``, ``measured`` (None: not measured), ``met`` (None: not measured) of every target."""
    rows = []
    for target in TARGETS:
        try:
            value = target.find(evaluation)
        except KeyError:
            value = None
        met = None
        if value is not None:
            met = (target.low is None or value >= target.low) and (target.high is None or value <= target.high)
        rows.append({"set": target.set, "what": target.what, "wanted": target.wanted, "measured": value, "met": met})
    return rows
