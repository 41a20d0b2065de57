"""What is wrong with which file: collected over a whole set, so that all of it can be mended at once."""

from __future__ import annotations

from dataclasses import dataclass

from MidlineShiftLogic.errors import InputError

ERROR, WARNING = "error", "warning"


@dataclass(frozen=True)
class Problem:
    """One finding.

    Attributes:
        where: case and file. what: one sentence. severity: ``error`` (the case cannot be used) or ``warning``.
    """

    where: str
    what: str
    severity: str = ERROR

    def __str__(self) -> str:
        return f"{self.severity}: {self.where}: {self.what}"


def errors(problems: list[Problem]) -> list[Problem]:
    """Return the problems that keep a case from being used."""
    return [one for one in problems if one.severity == ERROR]


def refuse(problems: list[Problem], advice: str) -> None:
    """Raise an InputError that lists every error, one a line, if there is one."""
    found = errors(problems)
    if found:
        lines = "\n".join(f"  {one.where}: {one.what}" for one in found)
        count = "One problem" if len(found) == 1 else f"{len(found)} problems"
        raise InputError(f"{count} in the set; {advice}\n{lines}", "bad-set")
