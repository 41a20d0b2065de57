"""Find the cases of result folders that can be reviewed, and the scans they were measured on."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from MidlineShiftLogic.batch.work_list import list_cases
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.reporting.html import read_result
from MidlineShiftLogic.reporting.results_csv import TABLE_FILE

RESULT_FILE = "measurement.json"
KEY_LENGTH = 12
"""Hexadecimal digits of a case's key in an address: enough for millions of cases, and no path is in it."""


@dataclass(frozen=True)
class ReviewCase:
    """Hold one case that can be reviewed.

    Attributes:
        key: Name of the case in addresses; says nothing of the server's folders.
        name: Name of the case, as its folder.
        root: Folder of all results; the readers' work goes below it.
        source: The scan; None where it is not known.
    """

    key: str
    name: str
    root: Path
    source: Path | None

    @property
    def folder(self) -> Path:
        """Folder of the model's result."""
        return self.root / self.name

    def load_measurement(self) -> Measurement:
        """Read the model's measurement; InputError where it is damaged."""
        return read_result(self.folder)

    def load_scan(self, measurement: Measurement) -> HeadCT:
        """Read the scan and check that it is the one that was measured.

        Raises:
            InputError: The scan is not known, missing, or another one.
        """
        from MidlineShiftLogic.headct import read

        if self.source is None:
            raise InputError(
                "The scan of this case is not known. Start the review with --scans FOLDER, the folder that was measured.",
                "no-scan",
            )
        if not self.source.exists():
            raise InputError("The scan of this case is no longer where it was measured; use --scans FOLDER.", "no-scan")
        ct = read(self.source)
        digest = measurement.input.get("sha256")
        if digest and ct.source.get("sha256") != digest:
            raise InputError("The scan was changed after it was measured; measure it again.", "other-scan")
        return ct


def find_cases(inputs: Sequence[Path], scans: Sequence[Path] = ()) -> list[ReviewCase]:
    """Return the cases of result folders in their order.

    Args:
        inputs: Folders of results (``--out`` of a measurement) and folders of single cases.
        scans: Where to look for scans that ``results.csv`` does not name; matched by the name of the case.

    Raises:
        InputError: An input is no folder of results.
    """
    by_name = {case.name: case.source for case in list_cases(scans, None, Path())} if scans else {}
    cases: dict[str, ReviewCase] = {}
    for given in inputs:
        folder = given.resolve()
        if (folder / RESULT_FILE).is_file():
            root, names = folder.parent, [folder.name]
        elif folder.is_dir():
            root = folder
            names = sorted(path.parent.name for path in folder.glob(f"*/{RESULT_FILE}"))
        else:
            raise InputError(f"There is no folder of results {given}; give the --out of a measurement.", "no-such-path")
        if not names:
            raise InputError(f"{given} holds no results; give the --out of a measurement.", "no-results")
        sources = _sources_of_table(root) | by_name
        for name in names:
            key = hashlib.sha256(str(root / name).encode("utf-8", "surrogateescape")).hexdigest()[:KEY_LENGTH]
            cases[key] = ReviewCase(key, name, root, sources.get(name))
    return list(cases.values())


def _sources_of_table(root: Path) -> dict[str, Path]:
    """Return the scan of each case that ``results.csv`` names; relative paths start where the command was started."""
    return {row["case"]: Path(row["source"]) for row in read_rows(root) if row.get("source")}


def read_rows(root: Path) -> Iterable[dict[str, str]]:
    """Return the rows of the table of results in ``root``; none where there is no table or it is another's."""
    try:
        with (root / TABLE_FILE).open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error):
        return []
    return [row for row in rows if row.get("case") and "source" in row]
