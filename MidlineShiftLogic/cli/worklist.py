"""What ``midlineshift measure`` is asked to measure: files, folders, folder trees and lists -> cases."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from MidlineShiftLogic.errors import InputError

LIST_ENDINGS = (".csv", ".tsv")
Millimetres = tuple[float, float, float]


@dataclass(frozen=True)
class Case:
    """One scan to measure.

    Attributes:
        number: from 1.
        name: of the case and its result folder.
        source: the scan.
        spacing: mm between (slices, rows, columns) for ``.npy``, or None.
        priors: earlier results of the same patient, for the report.
        problem: why the scan must not be read, or ``""``.
    """

    number: int
    name: str
    source: Path
    spacing: Millimetres | None = None
    priors: tuple[Path, ...] = ()
    problem: str = ""


def parse_spacing(text: str) -> Millimetres:
    """``Z,Y,X`` in mm; ValueError for what is not three positive millimetres."""
    numbers = tuple(float(part) for part in text.split(","))
    if len(numbers) != 3 or not all(0 < number < 100 for number in numbers):
        raise ValueError(text)
    return numbers


def cases_of(inputs: Iterable[Path], spacing: Millimetres | None, out: Path, progress=None) -> list[Case]:
    """The cases of all inputs in their order, each with a name of its own.

    A folder that is one DICOM study is one case; another folder is searched for scans, whose names come from their
    places in it, so that they stay the same when scans are added. ``.csv`` and ``.tsv`` files are lists of scans.

    Raises:
        InputError: a list that cannot be used, or a folder without scans.
    """
    from MidlineShiftLogic.cli.case_list import read_list
    from MidlineShiftLogic.reporting.case_name import case_name, unique_names

    cases: list[Case] = []
    for source in inputs:
        if source.suffix.lower() in LIST_ENDINGS and not source.is_dir():
            cases += read_list(source, spacing)
        elif source.is_dir():
            cases += _in_tree(source, spacing, out, progress)
        else:
            cases.append(Case(0, case_name(source), source, spacing))
    names = unique_names(case.name for case in cases)
    return [replace(case, number=n, name=name) for n, (case, name) in enumerate(zip(cases, names, strict=True), 1)]


def _in_tree(folder: Path, spacing: Millimetres | None, out: Path, progress) -> list[Case]:
    from MidlineShiftLogic.headct.find_scans import find_scans
    from MidlineShiftLogic.reporting.case_name import case_name

    try:
        # Results may lie among the scans: they are known by their files.
        found = find_scans(folder, [] if out.resolve() == folder.resolve() else [out], progress)
    except InputError as error:
        if error.code != "no-scans":
            raise
        found = []
    if not found or (len(found) == 1 and found[0].path == folder and not found[0].problem):
        return [Case(0, case_name(folder), folder, spacing)]  # one study, or nothing: for ``read`` to say
    cases = []
    for scan in found:
        parts = scan.path.relative_to(folder).parts
        cases.append(Case(0, case_name("_".join(parts) or folder), scan.path, spacing, problem=scan.problem))
    return cases


def bad_input(case: Case) -> None:
    """Raise InputError for a case that must not be read."""
    if case.problem:
        raise InputError(case.problem, "mixed-studies")
