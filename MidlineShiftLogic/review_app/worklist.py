"""Describe all cases for the worklist, quickly: from ``results.csv`` where it has the case, else from the result."""

from __future__ import annotations

import functools
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.review_app.cases import RESULT_FILE, ReviewCase, read_rows
from MidlineShiftLogic.review_app.page_text import error_text
from MidlineShiftLogic.review_app.readings import ReaderFolder, status_of

THUMBNAIL_PX = 96
THUMBNAILS_KEPT = 600


class Worklist:
    """List the cases of a review with their numbers and what a reader did.

    Args:
        cases: The cases, in their order.
    """

    def __init__(self, cases: Sequence[ReviewCase]):
        self.cases = {case.key: case for case in cases}
        self._model: dict[str, dict[str, Any]] = {}
        tables = {root: {row["case"]: row for row in read_rows(root)} for root in {case.root for case in cases}}
        for case in cases:
            row = tables[case.root].get(case.name)
            self._model[case.key] = _from_row(row) if row is not None else _from_result(case)
        self._readings: dict[tuple[str, Path], tuple[int, Measurement]] = {}

    def describe(self, reader: str, blind: bool) -> list[dict[str, Any]]:
        """Return one dict a case, ready for JSON; in a blind review without the model's numbers.

        Args:
            reader: Name of the reader, whose status and numbers are listed.
            blind: Leave the model's numbers out.
        """
        folders = {root: ReaderFolder(root, reader) for root in {case.root for case in self.cases.values()}}
        return [self._describe_one(case, folders[case.root], blind) for case in self.cases.values()]

    def _describe_one(self, case: ReviewCase, folder: ReaderFolder, blind: bool) -> dict[str, Any]:
        model = {} if blind else self._model[case.key]
        entry = {"key": case.key, "name": case.name, "status": "unread", **model}
        reading = self._reading(case, folder)
        if reading is not None:
            entry |= _numbers(reading) | {"status": status_of(reading)}
        return entry

    def _reading(self, case: ReviewCase, folder: ReaderFolder) -> Measurement | None:
        file = folder.case_folder(case) / RESULT_FILE
        try:
            changed = file.stat().st_mtime_ns
        except OSError:
            return None
        known = self._readings.get((case.key, file))
        if known is None or known[0] != changed:
            try:
                reading = folder.load(case)
            except InputError:
                return None
            if reading is None:
                return None
            known = self._readings[case.key, file] = changed, reading
        return known[1]

    def thumbnail(self, key: str) -> bytes:
        """Return a small JPEG of the case's slice; b"" where there is no picture of it."""
        return _thumbnail(self.cases[key].folder / "overlay.png")


@functools.lru_cache(maxsize=THUMBNAILS_KEPT)
def _thumbnail(file: Path) -> bytes:
    from MidlineShiftLogic.reporting.figures.image_data import overlay_panels

    try:
        picture = overlay_panels(file.read_bytes())[0].convert("RGB")
    except (OSError, InputError):
        return b""
    picture.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def _from_row(row: dict[str, str]) -> dict[str, Any]:
    def number(name: str) -> float | None:
        try:
            value = float(row[name])
        except (KeyError, TypeError, ValueError):  # a short row gives None
            return None
        return value if math.isfinite(value) else None  # JSON has no other numbers: the page would show no case at all

    low, high = number("interval_low_mm"), number("interval_high_mm")
    return {
        "shift_mm": number("shift_mm"),
        "side": row.get("side") or "",
        "interval": None if low is None or high is None else [low, high],
        "warnings": len((row.get("warnings") or "").split()),
        "refused": row.get("message") if row.get("status") == "refused" else "",
    }


def _from_result(case: ReviewCase) -> dict[str, Any]:
    try:
        return _numbers(case.load_measurement())
    except InputError as error:
        text = error_text(error, (case.source, case.folder, case.root))
        return {"shift_mm": None, "side": "", "interval": None, "warnings": 0, "refused": text}


def _numbers(measurement: Measurement) -> dict[str, Any]:
    return {
        "shift_mm": measurement.shift_mm,
        "side": measurement.side or "",
        "interval": measurement.interval_mm,
        "warnings": sum(flag.severity == "warning" for flag in measurement.quality),
        "refused": (measurement.refused or {}).get("message", ""),
    }
