"""What a query asks for and what it finds; a fetched series as a folder that appears whole."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.pacs.errors import PacsError

COUNT_FIELD = "NumberOfSeriesRelatedInstances"


@dataclass(frozen=True)
class Wanted:
    """Which series: every field that is not empty must match. At least one of the first four is needed."""

    study: str = ""
    accession: str = ""
    patient_id: str = ""
    date: str = ""
    series: str = ""
    modality: str = "CT"

    def check(self) -> None:
        """Raise InputError where this would ask for a whole archive, or a value is none of its kind."""
        if not (self.study or self.accession or self.patient_id or self.date):
            raise InputError("Say which study: --study, --accession, --patient-id or --date.", "query")
        for name, uid in (("--study", self.study), ("--series", self.series)):
            if uid and not re.fullmatch(r"[0-9.]{1,64}", uid):
                raise InputError(f"{name} {uid!r} is not a UID.", "query")
        if self.date and not re.fullmatch(r"\d{8}(-\d{8})?", self.date):
            raise InputError(f"--date {self.date!r} is not YYYYMMDD or YYYYMMDD-YYYYMMDD.", "query")
        if any(sign in self.accession + self.patient_id for sign in "*?\\"):
            raise InputError("Wildcards are not taken in --accession and --patient-id.", "query")


@dataclass(frozen=True)
class Found:
    """One series of the archive; ``images`` is None where the archive does not tell."""

    study: str
    series: str
    number: int | None
    modality: str
    description: str
    date: str
    images: int | None

    @classmethod
    def of(cls, study, series) -> Found:
        """From the data sets that an archive answers with about a study and one of its series."""
        return cls(
            study=str(study.StudyInstanceUID),
            series=str(series.get("SeriesInstanceUID") or ""),
            number=integer(series.get("SeriesNumber")),
            modality=str(series.get("Modality") or ""),
            description=str(series.get("SeriesDescription") or ""),
            date=str(study.get("StudyDate") or ""),
            images=integer(series.get(COUNT_FIELD)),
        )

    @property
    def folder(self) -> str:
        """A name for its folder without identifiers: number and a digest of the UID."""
        number = "x" if self.number is None else self.number
        return f"series_{number}_{hashlib.sha256(self.series.encode()).hexdigest()[:8]}"


class Archive(Protocol):
    """A PACS that can be asked and fetched from."""

    def find(self, wanted: Wanted) -> list[Found]:
        """Series that match, by study and number. Raises PacsError."""
        ...

    def fetch(self, found: Found, folder: Path) -> int:
        """Write a series' objects into an existing folder; how many. Raises PacsError, OSError."""
        ...


def fetch_series(archive: Archive, found: Iterable[Found], out: Path, tell: Callable[[Found, str], None]) -> None:
    """Fetch series into ``out/<folder>``; each appears only when complete, and one that is there is not fetched again.

    Args:
        tell: told each series and what became of it.

    Raises:
        PacsError: the archive fails, or gives fewer images than it says it has. InputError: ``out`` cannot be written.
    """
    for one in found:
        final, partial = out / one.folder, out / f".{one.folder}.partial"
        try:
            if final.is_dir():
                tell(one, f"{final} is there already")
                continue
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            count = archive.fetch(one, partial)
            if count == 0 or (one.images is not None and count < one.images):
                raise PacsError(
                    f"The PACS gave {count} of {one.images if one.images is not None else 'some'} images of series "
                    f"{one.number}; try again.",
                    "pacs-incomplete",
                )
            partial.replace(final)
        except OSError as error:
            raise InputError(
                f"Cannot write into {out}: {error.strerror or error}; choose another --out.", "out"
            ) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        tell(one, f"{final} ({count} images)")


def integer(value) -> int | None:
    """A number of a query's answer, or None where it is none."""
    try:
        return int(value)
    except (TypeError, ValueError):
        return None
