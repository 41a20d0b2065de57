"""How a finished series is measured, as the listener sees it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Outcome:
    """What came of measuring one series.

    Attributes:
        files: DICOM files to send, in this order.
        refused: why it must not be measured, one sentence without identifiers; empty if it was measured.
    """

    files: tuple[Path, ...] = ()
    refused: str = ""


class MeasuringFailed(Exception):
    """Measuring ended without an answer (a crash, a full disk, no memory); the sentence holds no identifiers."""


class Stopped(Exception):
    """Measuring was broken off because the listener was asked to stop."""


class Measurer(Protocol):
    """Measures the images of one series."""

    @property
    def maker(self) -> str:
        """Changes whenever the same images may be measured differently (another model, another version)."""
        ...

    def measure(self, images: Path, out: Path, stop: threading.Event) -> Outcome:
        """Measure the DICOM files of a folder.

        Args:
            images: folder that holds one series and nothing else.
            out: empty folder for whatever is written.
            stop: set when measuring is to be broken off soon.

        Raises:
            MeasuringFailed: no answer; may be tried again.
            Stopped: ``stop`` was set.
        """
        ...
