"""Turn what the user named (files, folders, folder trees, lists) into cases."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from MidlineShiftLogic.batch.case import Case, Millimetres
from MidlineShiftLogic.batch.case_list import read_case_list
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.progress import Progress
from MidlineShiftLogic.reporting.case_name import case_name, unique_names

LIST_ENDINGS = (".csv", ".tsv")


def list_cases(
    inputs: Iterable[Path], spacing: Millimetres | None, out: Path, progress: Progress | None = None
) -> list[Case]:
    """Return the cases of all inputs in their order, each with a name of its own.

    A folder that is one DICOM study is one case. Another folder is searched for scans; their names come from their
    places in it, so that they stay the same when scans are added. ``.csv`` and ``.tsv`` files are lists of scans.

    Args:
        inputs: Files and folders.
        spacing: Spacing in mm for scans that carry none (``.npy``).
        out: Folder of the results, which may be inside an input and is not searched.
        progress: Called while folders are searched.

    Raises:
        InputError: A list cannot be used, or a folder has no scans.
    """
    cases: list[Case] = []
    for source in inputs:
        if source.suffix.lower() in LIST_ENDINGS and not os.path.isdir(source):
            cases += read_case_list(source, spacing)
        elif os.path.isdir(source):
            cases += _list_tree(source, spacing, out, progress)
        else:
            cases.append(Case(0, case_name(source), source, spacing))
    names = unique_names(case.name for case in cases)
    return [replace(case, number=n, name=name) for n, (case, name) in enumerate(zip(cases, names, strict=True), 1)]


def _list_tree(folder: Path, spacing: Millimetres | None, out: Path, progress: Progress | None) -> list[Case]:
    from MidlineShiftLogic.headct.find_scans import find_scans

    try:
        # Results may be among the scans: they are recognised by their files.
        found = find_scans(folder, [] if out.resolve() == folder.resolve() else [out], progress)
    except InputError as error:
        if error.code != "no-scans":
            raise
        found = []
    if not found or (len(found) == 1 and found[0].path == folder and not found[0].problem):
        return [Case(0, case_name(folder), folder, spacing)]  # one study, or nothing: ``headct.read`` reports that
    cases = []
    for scan in found:
        parts = scan.path.relative_to(folder).parts
        cases.append(
            Case(0, case_name("_".join(parts) or folder), scan.path, spacing, problem=scan.problem, code=scan.code)
        )
    return cases
