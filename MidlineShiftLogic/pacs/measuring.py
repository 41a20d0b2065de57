"""Measure a received series in a process of its own (docs/adr/0026)."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Outcome:
    """The outcome of measuring one series.

    Attributes:
        files: DICOM files to send, in this order.
        refused: the reason for a refusal, one sentence without identifiers; empty if it was measured.
    """

    files: tuple[Path, ...] = ()
    refused: str = ""


class MeasurementFailed(Exception):
    """Measuring ended without a result (crash, full disk, no memory); the message holds no identifiers."""


class Stopped(Exception):
    """Measuring was cancelled because the listener is stopping."""


class Measurer(Protocol):
    """Measures the images of one series."""

    @property
    def version(self) -> str:
        """Identify model and program: it changes whenever the same images may be measured differently."""
        ...

    def measure(self, images: Path, out: Path, stop: threading.Event) -> Outcome:
        """Measure the DICOM files of a folder.

        Args:
            images: folder that holds one series and nothing else.
            out: empty folder for the results.
            stop: set when measuring must be cancelled.

        Raises:
            MeasurementFailed: no result; may be tried again.
            Stopped: ``stop`` was set.
        """
        ...


POLL_SECONDS, GRACE_SECONDS = 0.2, 10.0
UNSAFE_MESSAGE_CODE = "internal"
"""Messages with this code come from libraries and may quote header values; all other messages are our own."""


class ChildMeasurer:
    """Run ``midlineshift measure --dicom`` on each series.

    Args:
        model: name or folder, None for the default one.
        device: as for ``midlineshift measure``.
        seconds: a case that takes longer is ended.

    Raises:
        InputError: no such model.
    """

    def __init__(self, model: str | None = None, device: str = "auto", seconds: float = 1800.0):
        from MidlineShiftLogic.models.locate import find_model
        from MidlineShiftLogic.software import package_version

        digest = hashlib.sha256((find_model(model) / "model.json").read_bytes()).hexdigest()
        self._version = f"{package_version()} {digest[:16]}"
        self._model, self._device, self._seconds = model, device, seconds

    @property
    def version(self) -> str:
        return self._version

    def measure(self, images: Path, out: Path, stop: threading.Event) -> Outcome:
        """See ``Measurer``."""
        command = [sys.executable, "-m", "MidlineShiftLogic", "measure", str(images), "--out", str(out), "--dicom"]
        command += ["--json-lines", "--quiet", "--device", self._device]
        command += ["--model", self._model] if self._model else []
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            # Warnings of libraries quote header values: they are discarded.
            stderr=subprocess.DEVNULL,
            # Ctrl-C in the terminal reaches the listener only, which then ends the child.
            start_new_session=True,
        ) as process:
            try:
                output = _wait(process, time.monotonic() + self._seconds, stop)
            finally:
                _end(process)
        return _outcome(process.returncode, output)


def _wait(process: subprocess.Popen, end: float, stop: threading.Event) -> bytes:
    while True:
        try:
            return process.communicate(timeout=POLL_SECONDS)[0]
        except subprocess.TimeoutExpired:
            if stop.is_set():
                raise Stopped from None
            if time.monotonic() > end:
                raise MeasurementFailed("measuring took too long and was ended") from None


def _end(process: subprocess.Popen) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _outcome(code: int, output: bytes) -> Outcome:
    try:
        lines = [json.loads(line) for line in output.splitlines() if line.startswith(b"{")]
        answer = [line for line in lines if line["type"] in ("result", "error")][-1]
        if answer["type"] == "result":
            folder = Path(answer["folder"])
            files = (*folder.glob("sr.dcm"), *sorted((folder / "capture").glob("*.dcm")))
            refused = answer["refused"]
            if not (files or refused):
                raise MeasurementFailed("measuring wrote no DICOM objects")
            return Outcome(files, f"{refused['code']}: {refused['message']}" if refused else "")
        sentence, kind = str(answer["message"]), answer["code"]
    except (IndexError, KeyError, TypeError, ValueError):
        raise MeasurementFailed(f"measuring ended without a result (exit code {code})") from None
    if code == 2:
        return Outcome(refused=sentence)
    if kind == UNSAFE_MESSAGE_CODE:
        raise MeasurementFailed(f"measuring met an error inside midlineshift (exit code {code})")
    raise MeasurementFailed(f"measuring failed: {sentence}")
