"""Measuring in a process of its own: a crash, a leak or a full memory of one case is not the listener's (docs/adr/0026)."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

from MidlineShiftLogic.pacs.measurer import MeasuringFailed, Outcome, Stopped

POLL_SECONDS, GRACE_SECONDS = 0.2, 10.0
OWN_SENTENCES_EXCEPT = "internal"
"""Errors of this code are somebody else's words, in which anything may stand; all other sentences are ours."""


class ChildMeasurer:
    """Runs ``midlineshift measure --dicom`` on each series.

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
        self._maker = f"{package_version()} {digest[:16]}"
        self._model, self._device, self._seconds = model, device, seconds

    @property
    def maker(self) -> str:
        return self._maker

    def measure(self, images: Path, out: Path, stop: threading.Event) -> Outcome:
        """See ``measurer.Measurer``."""
        command = [sys.executable, "-m", "MidlineShiftLogic", "measure", str(images), "--out", str(out), "--dicom"]
        command += ["--json-lines", "--quiet", "--device", self._device]
        command += ["--model", self._model] if self._model else []
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            # Libraries' complaints quote values of the headers: they are for nobody.
            stderr=subprocess.DEVNULL,
            # A Ctrl-C in the terminal is for the listener, which then ends the child.
            start_new_session=True,
        ) as process:
            try:
                said = _wait(process, time.monotonic() + self._seconds, stop)
            finally:
                _end(process)
        return _outcome(process.returncode, said)


def _wait(process: subprocess.Popen, end: float, stop: threading.Event) -> bytes:
    while True:
        try:
            return process.communicate(timeout=POLL_SECONDS)[0]
        except subprocess.TimeoutExpired:
            if stop.is_set():
                raise Stopped from None
            if time.monotonic() > end:
                raise MeasuringFailed("measuring took too long and was ended") from None


def _end(process: subprocess.Popen) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _outcome(code: int, said: bytes) -> Outcome:
    try:
        lines = [json.loads(line) for line in said.splitlines() if line.startswith(b"{")]
        answer = [line for line in lines if line["type"] in ("result", "error")][-1]
        if answer["type"] == "result":
            folder = Path(answer["folder"])
            files = (*folder.glob("sr.dcm"), *sorted((folder / "capture").glob("*.dcm")))
            refused = answer["refused"]
            if not (files or refused):
                raise MeasuringFailed("measuring wrote no DICOM objects")
            return Outcome(files, f"{refused['code']}: {refused['message']}" if refused else "")
        sentence, kind = str(answer["message"]), answer["code"]
    except (IndexError, KeyError, TypeError, ValueError):
        raise MeasuringFailed(f"measuring ended without an answer (exit code {code})") from None
    if code == 2:
        return Outcome(refused=sentence)
    if kind == OWN_SENTENCES_EXCEPT:
        raise MeasuringFailed(f"measuring met an error inside midlineshift (exit code {code})")
    raise MeasuringFailed(f"measuring failed: {sentence}")
