"""Keep what each reader made of the cases: ``RESULTS/reviews/<reader>/<case>/`` and the reader's tables.

The model's results are never changed. A reader's folder is a folder of results itself: the panel, ``midlineshift report``
and statistics read it as any other.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from MidlineShiftLogic.batch.results_table import made_with_of
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.measurement.review import REJECTED
from MidlineShiftLogic.reporting.case_folder import RESULT_FILES
from MidlineShiftLogic.reporting.case_name import case_name
from MidlineShiftLogic.reporting.html import read_result
from MidlineShiftLogic.reporting.measurement_json import to_json
from MidlineShiftLogic.reporting.results_csv import TABLE_FILE, CohortTable, measured_row
from MidlineShiftLogic.review_app.cases import RESULT_FILE, ReviewCase
from MidlineShiftLogic.unfinished import remove_stale, unfinished_name

REVIEWS_FOLDER = "reviews"
READINGS_FILE = "readings.csv"
READER_FILE = "reader.txt"
LOCK_FOLDER = ".writers"
HISTORY_FOLDER, BLIND_HISTORY_FOLDER = ".history", ".history-blind"
READINGS_COLUMNS = ("case", "reader", "slice", "shift_mm", "time", "edited", "pinned")
UNREAD, EDITED = "unread", "edited"


class ReaderFolder:
    """Write and read the work of one reader in one folder of results.

    Args:
        root: Folder of results.
        reader: The reader's name as typed.

    Raises:
        InputError: The name is empty, or the folder cannot be made.
    """

    def __init__(self, root: Path, reader: str):
        self.reader = " ".join(reader.split())
        if not self.reader:
            raise InputError("A review needs the reader's name.", "review")
        self.root = root
        self.folder = _folder_of(root / REVIEWS_FOLDER, self.reader)

    def case_folder(self, case: ReviewCase) -> Path:
        """Return the folder of the reader's result of a case."""
        return self.folder / case.name

    def history_folder(self, case: ReviewCase, blind: bool) -> Path:
        """Return the folder of the reader's steps on a case; those of a blind review are apart from the others."""
        return self.folder / (BLIND_HISTORY_FOLDER if blind else HISTORY_FOLDER) / case.name

    def load(self, case: ReviewCase) -> Measurement | None:
        """Return the reader's measurement of a case; None where there is none."""
        if not (self.case_folder(case) / RESULT_FILE).is_file():
            return None
        return read_result(self.case_folder(case))

    def save(self, case: ReviewCase, measurement: Measurement, ct: HeadCT) -> None:
        """Write the reader's measurement and tables; it is on the disk when this returns.

        Reports and figures of an earlier state are removed first: they would not belong to these numbers.

        Raises:
            OSError: The disk is full or gone; the measurement before is still there.
        """
        folder = self.case_folder(case)
        folder.mkdir(parents=True, exist_ok=True)
        for name in RESULT_FILES - {RESULT_FILE}:
            path = folder / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        replace_file(folder / RESULT_FILE, to_json(measurement).encode("utf-8"))
        source = "" if case.source is None else str(case.source)
        CohortTable(self.folder / TABLE_FILE).add(measured_row(measurement, source, made_with_of(measurement)))
        self._save_readings(case, measurement, ct)

    def discard(self, case: ReviewCase) -> None:
        """Remove the reader's work on a case."""
        shutil.rmtree(self.case_folder(case), ignore_errors=True)
        if (self.folder / TABLE_FILE).exists():
            CohortTable(self.folder / TABLE_FILE).drop([case.name])
        self._write_readings(case, [])

    def _save_readings(self, case: ReviewCase, measurement: Measurement, ct: HeadCT) -> None:
        review = measurement.review
        accepted = review is not None and review.decision != REJECTED
        rows = []
        for one in measurement.slices if review is None or accepted else ():
            # a reader vouches for what was placed, and by accepting for the slice of the case
            if one.edited or one.pinned or (accepted and one.index == measurement.slice):
                rows.append(
                    {
                        "case": case.name,
                        "reader": self.reader,
                        "slice": _source_position(ct, one.index),
                        "shift_mm": f"{one.signed_shift_mm:.4f}",
                        "time": review.time if review is not None else "",
                        "edited": int(one.edited),
                        "pinned": int(one.pinned),
                    }
                )
        self._write_readings(case, rows)

    def _write_readings(self, case: ReviewCase, rows: list[dict]) -> None:
        path = self.folder / READINGS_FILE
        with FileLock(str(path.with_name(f".{path.name}.lock"))):
            kept: list[dict] = []
            if path.exists():
                with path.open(encoding="utf-8", newline="") as stream:
                    kept = [row for row in csv.DictReader(stream) if row["case"] != case.name]
            text = io.StringIO(newline="")
            writer = csv.DictWriter(text, READINGS_COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows([*kept, *rows])
            replace_file(path, text.getvalue().encode("utf-8"))


def remove_unfinished(root: Path) -> None:
    """Remove what killed servers left among the readings, and put back what one had moved aside.

    To be called before this process writes there.
    """
    reviews = root / REVIEWS_FOLDER
    for folder in (reviews, *reviews.glob("*"), *reviews.glob(f"*/{HISTORY_FOLDER}*")):
        if folder.is_dir():
            remove_stale(folder)


def status_of(measurement: Measurement | None) -> str:
    """Return ``unread``, ``edited`` or the decision."""
    if measurement is None:
        return UNREAD
    return EDITED if measurement.review is None else measurement.review.decision


def replace_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, and wait until the disk has it."""
    # Beside the folder of the case, which must hold results alone.
    partial = path.parent.parent / unfinished_name(f"{path.parent.name}.{path.name}")
    try:
        with partial.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def writer_lock(case: ReviewCase, reader: str) -> Iterator[str]:
    """Hold the right to write a case; yield ``""``, or the name of the reader who has it.

    The lock is the system's: it ends with the process that holds it, however that ends.
    """
    folder = case.root / REVIEWS_FOLDER / LOCK_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(str(folder / f"{case.key}.lock"), thread_local=False)
    holder = folder / f"{case.key}.txt"
    try:
        lock.acquire(timeout=0)
    except Timeout:
        try:
            yield holder.read_text(encoding="utf-8").strip() or "another reader"
        except OSError:
            yield "another reader"
        return
    try:
        holder.write_text(reader, encoding="utf-8")
        yield ""
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _folder_of(reviews: Path, reader: str) -> Path:
    """Return the reader's own folder: two names that make the same file name get two folders."""
    first = case_name(reader.replace("/", "_").replace("\\", "_"))
    number = 1
    while True:
        folder = reviews / (first if number == 1 else f"{first}-{number}")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            owner = folder / READER_FILE
            if not owner.exists():
                replace_file(owner, reader.encode("utf-8"))
            if owner.read_text(encoding="utf-8") == reader:
                return folder
        except OSError as error:
            raise InputError(f"The reader's folder cannot be written ({error.strerror or error}).", "out") from error
        number += 1


def _source_position(ct: HeadCT, index: int) -> int:
    """Return the position of a slice among the source's slices from the lowest, as ``evaluate --readings`` counts."""
    counts = [len(members) for members in ct.source_slices] or [1] * ct.n_slices
    start = int(np.sum(counts[:index]))
    return start + counts[index] // 2
