"""Keep ``results.csv``: one row a case, for statistics programs. Columns keep their names, meaning and order.

Rows are appended under a lock (``.results.csv.lock``), each in one write, so that several processes can share the file
and a kill leaves whole rows; should a machine die in the middle of one, the next writer takes the torn row away. The last
column holds the same words in every row, by which a whole row differs from a torn one.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, BinaryIO

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.text import csv_text

TABLE_FILE = "results.csv"
MEASURED, REFUSED, ERROR = "measured", "refused", "error"
RESULT_COLUMNS = (
    "case", "source", "status", "code", "message", "shift_mm", "signed_shift_mm", "side", "interval_low_mm",
    "interval_high_mm", "p_over_5mm", "slice", "slices_measured", "warnings", "authors_readout_mm", "scanned",
)  # fmt: skip
MADE_WITH_COLUMNS = ("model", "model_version", "model_digest", "software_version", "options", "input_stamp")
COLUMNS = (*RESULT_COLUMNS, *MADE_WITH_COLUMNS, "input_sha256", "device", "seconds", "measured_at", "use")
USE = "research use only"
DECIMALS = 4
LONGEST_WAIT_SECONDS = 300
"""For another process to finish writing its row; longer, and the file system's locks do not work."""

Row = dict[str, str]


def measured_row(measurement: Measurement, source: str, made_with: dict[str, str]) -> Row:
    """Return the row of a measured or refused case.

    Args:
        source: path of the scan as it was given or found.
        made_with: values of ``MADE_WITH_COLUMNS``.
    """
    low, high = measurement.interval_mm or (None, None)
    refused = measurement.refused or {}
    return _row(
        case=measurement.case_id,
        source=source,
        status=REFUSED if refused else MEASURED,
        code=refused.get("code", ""),
        message=refused.get("message", ""),
        shift_mm=measurement.shift_mm,
        signed_shift_mm=measurement.signed_shift_mm,
        side=measurement.side,
        interval_low_mm=low,
        interval_high_mm=high,
        p_over_5mm=measurement.p_over_5mm,
        slice=measurement.slice,
        slices_measured=len(measurement.slices),
        warnings=" ".join(dict.fromkeys(flag.code for flag in measurement.quality if flag.severity == "warning")),
        authors_readout_mm=measurement.authors_readout_mm,
        scanned=measurement.input.get("acquired"),
        input_sha256=measurement.input.get("sha256"),
        device=measurement.device,
        seconds=measurement.seconds,
        **made_with,
    )


def error_row(case: str, source: str, code: str, message: str, made_with: dict[str, str]) -> Row:
    """Return the row of a case that could not be read, or in which something went wrong."""
    return _row(case=case, source=source, status=ERROR, code=code, message=message, **made_with)


def case_cell(case: str) -> str:
    """Return a case's name as it stands in the table."""
    return _cell(case)


def _row(**values: Any) -> Row:
    row = dict.fromkeys(COLUMNS, "")
    for name, value in values.items():
        row[name] = _cell(value)
    row["measured_at"] = datetime.now(timezone.utc).isoformat(timespec="seconds")
    row["use"] = USE
    return row


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{round(value, DECIMALS):g}" if abs(value) < 1e5 else str(value)
    if isinstance(value, int):
        return str(value)
    return csv_text(value)


class CohortTable:
    """Append to and replace rows of ``results.csv``, which several processes may share.

    Args:
        path: the file; made with its header when the first row comes.

    Raises:
        InputError: it exists and is not such a table.
    """

    def __init__(self, path: Path):
        from filelock import FileLock

        self.path = Path(path)
        self._lock = FileLock(str(self.path.with_name(f".{self.path.name}.lock")), timeout=LONGEST_WAIT_SECONDS)
        self._cases: set[str] = set()
        self._read_to = 0
        self._last_line = b""
        with self._lock:
            self._catch_up()

    def rows(self) -> Iterator[Row]:
        """Yield the whole rows, in the order of the file."""
        with self._lock:
            self._catch_up()
            if not self.path.exists():
                return
            with self.path.open(encoding="utf-8-sig", newline="") as stream:
                yield from csv.DictReader(stream)

    def add(self, row: Row) -> None:
        """Append a row; an older row of the case is replaced.

        Raises:
            OSError: the disk is full or gone; the table is as it was.
        """
        with self._lock:
            self._catch_up()
            if row["case"] in self._cases:
                self._write_anew({row["case"]}, row)
            else:
                self._append(b"" if self._read_to else _HEADER, _lines([row]))
                self._cases.add(row["case"])

    def drop(self, cases: Iterable[str]) -> None:
        """Remove the rows of cases that are about to be measured again."""
        with self._lock:
            self._catch_up()
            gone = self._cases & {case_cell(case) for case in cases}
            if gone:
                self._write_anew(gone, None)

    def _append(self, header: bytes, line: bytes) -> None:
        content = header + line
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        try:
            before = os.fstat(handle).st_size
            try:
                if os.write(handle, content) < len(content):
                    raise OSError(28, "No space left on device", str(self.path))
                os.fsync(handle)
            except OSError:
                os.ftruncate(handle, before)
                raise
        finally:
            os.close(handle)
        self._read_to, self._last_line = before + len(content), line

    def _write_anew(self, gone: set[str], new: Row | None) -> None:
        """Write the table without the rows of some cases and with a new one, in one rename."""
        partial = self.path.with_name(f".{self.path.name}.partial")
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as old, partial.open("wb") as stream:
                stream.write(_HEADER)
                for row in csv.DictReader(old):
                    if row["case"] not in gone:
                        stream.write(_lines([row]))
                if new is not None:
                    stream.write(_lines([new]))
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(partial, self.path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        self._forget()
        self._catch_up()

    def _forget(self) -> None:
        self._cases, self._read_to, self._last_line = set(), 0, b""

    def _catch_up(self) -> None:
        """Learn of rows that others wrote since; mend the end of the file if a writer died in the middle of a row."""
        if not self.path.exists():
            self._forget()
            return
        if not self.path.is_file():
            raise self._foreign()
        with self.path.open("rb+") as stream:
            # Another process may have written the table anew. The file's number does not show it, since numbers are given
            # out again; the last row read does: rows are added behind it only, and none is like it.
            stream.seek(self._read_to - len(self._last_line))
            if stream.read(len(self._last_line)) != self._last_line:
                self._forget()
            place = stream.seek(self._read_to)
            for line in stream:
                if not line.endswith(b"\n"):
                    if not self._mended(stream, place, line):
                        break
                    line += b"\n"
                self._learn(line, place)
                place += len(line)
                self._read_to, self._last_line = place, line

    def _mended(self, stream: BinaryIO, place: int, line: bytes) -> bool:
        """Return whether the last line, which has no end, only lacked that (an editor saved the table); else remove it."""
        if not place and not _HEADER.startswith(line):
            raise self._foreign()
        whole = _whole(line)
        if whole:
            stream.write(b"\n")
        else:
            stream.truncate(place)
        return whole

    def _learn(self, line: bytes, place: int) -> None:
        if not place:
            if _values(line.removeprefix(b"\xef\xbb\xbf")) != list(COLUMNS):
                raise self._foreign()
        elif not _whole(line) or not _is_utf8(line):
            raise InputError(
                f"{self.path} has a damaged row after {len(self._cases)} whole ones, or is not UTF-8; mend it, or move "
                "the file away.",
                "out",
            )
        else:
            self._cases.add(_values(line)[0])

    def _foreign(self) -> InputError:
        return InputError(
            f"{self.path} is not a table of this version of midlineshift; move it away, or choose another --out.", "out"
        )


def _lines(rows: list[Row]) -> bytes:
    text = io.StringIO(newline="")
    csv.DictWriter(text, COLUMNS, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "replace")


def _values(line: bytes) -> list[str]:
    try:
        return next(csv.reader([line.decode("utf-8", "replace")]), [])
    except csv.Error:  # such as a value of 200 kB: no row of ours
        return []


def _is_utf8(line: bytes) -> bool:
    """Return whether a program has kept the encoding; some save a table as the system's own."""
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _whole(line: bytes) -> bool:
    values = _values(line)
    return len(values) == len(COLUMNS) and values[-1].strip() == USE


_HEADER = _lines([dict(zip(COLUMNS, COLUMNS, strict=True))])
