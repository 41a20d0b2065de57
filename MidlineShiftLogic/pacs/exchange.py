"""Queries, their results and the two collaborators (sender, archive); fetch series into folders."""

from __future__ import annotations

import functools
import hashlib
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.pacs.dicom_files import DicomFile
from MidlineShiftLogic.pacs.retries import ONCE, Retries
from MidlineShiftLogic.pacs.targets import Busy, PacsError
from MidlineShiftLogic.text import counted
from MidlineShiftLogic.unfinished import remove_if_left_empty

COUNT_FIELD = "NumberOfSeriesRelatedInstances"
MAX_ANSWERS = 500
"""Studies, or series of one study, that a query may yield: more is a query for others than one patient, or a broken PACS."""


@dataclass(frozen=True)
class SeriesQuery:
    """A query for series: every field that is not empty must match. At least one of the first four is needed."""

    study: str = ""
    accession: str = ""
    patient_id: str = ""
    date: str = ""
    series: str = ""
    modality: str = "CT"

    def validate(self) -> None:
        """Refuse a query that would match a whole archive, or a value of the wrong form.

        Raises:
            InputError: one sentence that names the option.
        """
        if not (self.study or self.accession or self.patient_id or self.date):
            raise InputError("Name the study: --study, --accession, --patient-id or --date.", "query")
        for name, uid in (("--study", self.study), ("--series", self.series)):
            if uid and not re.fullmatch(r"[0-9.]{1,64}", uid):
                raise InputError(f"{name} {uid!r} is not a UID.", "query")
        if self.date and not re.fullmatch(r"\d{8}(-\d{8})?", self.date):
            raise InputError(f"--date {self.date!r} is not YYYYMMDD or YYYYMMDD-YYYYMMDD.", "query")
        if any(sign in self.accession + self.patient_id for sign in "*?\\"):
            raise InputError("Wildcards are not accepted in --accession and --patient-id.", "query")


@dataclass(frozen=True)
class FoundSeries:
    """One series of the archive; ``images`` is None where the archive does not report the number."""

    study: str
    series: str
    number: int | None
    modality: str
    description: str
    date: str
    images: int | None

    @classmethod
    def of(cls, study, series) -> FoundSeries:
        """Build from the data sets with which an archive answers about a study and one of its series."""
        return cls(
            study=study_uid(study),
            series=str(series.get("SeriesInstanceUID") or ""),
            number=integer(series.get("SeriesNumber")),
            modality=str(series.get("Modality") or ""),
            description=str(series.get("SeriesDescription") or ""),
            date=str(study.get("StudyDate") or ""),
            images=integer(series.get(COUNT_FIELD)),
        )

    @property
    def folder(self) -> str:
        """Folder name without identifiers: series number and a digest of the UID."""
        number = "x" if self.number is None else self.number
        return f"series_{number}_{hashlib.sha256(self.series.encode()).hexdigest()[:8]}"


class Archive(Protocol):
    """A PACS that can be queried and fetched from."""

    def find(self, query: SeriesQuery) -> list[FoundSeries]:
        """Return the matching series, sorted by study and number. Raises PacsError."""
        ...

    def fetch(self, found: FoundSeries, folder: Path) -> int:
        """Write a series' objects into an existing folder and return their number. Raises PacsError, OSError."""
        ...


def fetch_series(
    archive: Archive,
    found: Iterable[FoundSeries],
    out: Path,
    report: Callable[[FoundSeries, str], None],
    retries: Retries = ONCE,
) -> None:
    """Fetch series into ``out/<folder>``; each folder appears only when complete, and an existing one is skipped.

    Args:
        report: called with each series and its outcome.
        retries: how often a series is asked for again while the archive is busy or gives only a part of it.

    Raises:
        PacsError: the archive fails, or gives fewer images than it announced. InputError: ``out`` cannot be written.
    """
    for one in found:
        final, partial = out / one.folder, out / f".{one.folder}.partial"
        with remove_if_left_empty(out):
            try:
                if final.is_dir():
                    report(one, f"{final} is there already")
                    continue
                count = retries.run(functools.partial(_fetch_whole, archive, one, partial))
                partial.replace(final)
            except OSError as error:
                raise InputError(
                    f"Cannot write into {out}: {error.strerror or error}; choose another --out.", "out"
                ) from error
            finally:
                shutil.rmtree(partial, ignore_errors=True)
        report(one, f"{final} ({counted(count, 'image')})")


def _fetch_whole(archive: Archive, found: FoundSeries, folder: Path) -> int:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    count = archive.fetch(found, folder)
    if count == 0 or (found.images is not None and count < found.images):
        raise Busy(
            f"The PACS gave {count} of {found.images if found.images is not None else 'some'} images of series "
            f"{found.number}; try again.",
            "pacs-incomplete",
        )
    return count


def study_uid(study) -> str:
    """Return the Study Instance UID of an answer.

    Raises:
        PacsError: it has none.
    """
    uid = str(study.get("StudyInstanceUID") or "")
    if not uid:
        raise PacsError("The PACS answers with a study that has no UID; ask whoever runs it.", "pacs-answer")
    return uid


def require_few(answers: Sized) -> None:
    """Refuse more answers than a query for one patient has.

    Raises:
        PacsError: too many.
    """
    if len(answers) > MAX_ANSWERS:
        raise PacsError(f"More than {MAX_ANSWERS} studies or series match; ask for fewer.", "query")


def integer(value) -> int | None:
    """Return an integer value of a query's answer, or None for anything else."""
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


class Sender(Protocol):
    """Sends files to one target."""

    def send(self, files: Sequence[DicomFile]) -> Iterator[DicomFile]:
        """Send files in order, and yield each one after the other side has confirmed it.

        Raises:
            Unreachable: no answer, or the connection broke; Busy: no room now. The yielded files were stored.
            Rejected: the other side refuses a file; the files before it were stored.
        """
        ...
