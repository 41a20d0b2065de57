"""How long to wait before the next try."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Backoff:
    """Doubling waits: ``first`` seconds, twice, four times..., never more than ``longest``."""

    first: float = 5.0
    longest: float = 600.0

    def after(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row (1 or more)."""
        return min(self.longest, self.first * 2.0 ** min(max(failures, 1) - 1, 40))
