"""Print what a batch does: lines and a progress bar for people, or JSON lines for programs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from MidlineShiftLogic.batch.output import BatchOutput
from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.reporting.formatting import case_line
from MidlineShiftLogic.text import clean_text, counted

if TYPE_CHECKING:
    from MidlineShiftLogic.reporting.cohort_summary import CohortSummary


class TextOutput:
    """Print one line a case on ``out``; errors and, on a terminal, a progress bar on ``err``. ``quiet`` leaves the errors."""

    def __init__(self, quiet: bool = False, out: TextIO | None = None, err: TextIO | None = None):
        self._quiet = quiet
        self._out = out or sys.stdout
        self._err = err or sys.stderr
        self._bar: Any = None
        self._case = ""

    def selected(self, kept: int, left: int) -> None: ...

    def start(self, case: str, number: int, of: int) -> None:
        self._case = case if of == 1 else f"{case} ({number}/{of})"

    def progress(self, done: int, total: int, what: str) -> None:
        if self._quiet or not self._err.isatty():
            return
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(file=self._err, leave=False, bar_format="{desc} {bar:24} {n_fmt}/{total_fmt} {elapsed}")
        self._bar.set_description_str(": ".join(filter(None, (self._case, what))), refresh=False)
        self._bar.total, self._bar.n = total, done
        self._bar.refresh()

    def result(self, measurement: Measurement, folder: Path) -> None:
        self._close_bar()
        if not self._quiet:
            print(clean_text(case_line(measurement, folder), keep_spaces=True), file=self._out, flush=True)

    def healthy(self, slices: list[int], model: dict, seconds: float, folder: Path) -> None:
        self._close_bar()
        if not self._quiet:
            what = f"{folder.name}  pseudo-healthy, {counted(len(slices), 'slice')} from {slices[0]} to {slices[-1]}"
            line = f"{what}  ({seconds:.1f} s)  {folder / 'pseudo_healthy.png'}"
            print(clean_text(line, keep_spaces=True), file=self._out, flush=True)

    def error(self, case: str, sentence: str, code: str, exit_code: int) -> None:
        self._close_bar()
        line = f"{case}  error: {sentence}" if case else f"Error: {sentence}"
        print(clean_text(line, keep_spaces=True), file=self._err, flush=True)

    def summary(self, summary: CohortSummary, table: Path, of: int) -> None:
        self._close_bar()
        if self._quiet:
            return
        for line in summary.lines():
            print(line, file=self._out)
        if summary.total < of:
            print(f"  {of - summary.total} left; go on with --resume", file=self._out)
        print(table, file=self._out, flush=True)

    def _close_bar(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class JsonLinesOutput:
    """Print one JSON object a line on ``out``: ``type`` is ``status``, ``progress``, ``result``, ``error`` or ``summary``.

    ``quiet`` leaves ``result`` and ``error``.
    """

    def __init__(self, quiet: bool = False, out: TextIO | None = None):
        self._quiet = quiet
        self._out = out or sys.stdout
        self._case = ""

    def selected(self, kept: int, left: int) -> None: ...

    def start(self, case: str, number: int, of: int) -> None:
        self._case = case
        if not self._quiet:
            self._print("status", message="started", number=number, of=of)

    def progress(self, done: int, total: int, what: str) -> None:
        if not self._quiet:
            self._print("progress", done=done, total=total, what=what)

    def result(self, measurement: Measurement, folder: Path) -> None:
        from MidlineShiftLogic.reporting.measurement_json import to_dict

        self._case = measurement.case_id  # several may have been started
        summary = to_dict(measurement)
        files = {path.name: str(path) for path in sorted(folder.iterdir())}
        self._print(
            "result",
            shift_mm=summary["case"]["shift_mm"],
            signed_shift_mm=summary["case"]["signed_shift_mm"],
            side=summary["case"]["side"],
            interval_mm=summary["case"]["interval_mm"],
            p_over_5mm=summary["case"]["p_over_5mm"],
            slice=summary["case"]["slice"],
            seconds=summary["seconds"],
            refused=summary["refused"],
            quality=summary["quality"],
            folder=str(folder),
            files=files,
        )

    def healthy(self, slices: list[int], model: dict, seconds: float, folder: Path) -> None:
        files = {path.name: str(path) for path in sorted(folder.glob("pseudo_healthy.*"))}
        self._print(
            "result",
            slices=slices,
            model=model,
            seconds=round(seconds, 3),
            refused=None,
            folder=str(folder),
            files=files,
        )

    def error(self, case: str, sentence: str, code: str, exit_code: int) -> None:
        self._case = case
        self._print("error", code=code, message=sentence, exit_code=exit_code)

    def summary(self, summary: CohortSummary, table: Path, of: int) -> None:
        if not self._quiet:
            self._case = ""
            self._print("summary", of=of, table=str(table), **summary.to_dict())

    def _print(self, kind: str, **fields) -> None:
        # ASCII only: the reader may be a program that was started with any encoding.
        print(json.dumps({"type": kind, "case": self._case, **fields}), file=self._out, flush=True)


def make_output(json_lines: bool, quiet: bool, out: TextIO | None = None) -> BatchOutput:
    """Return the output that the options ``--json-lines`` and ``--quiet`` ask for."""
    return JsonLinesOutput(quiet, out) if json_lines else TextOutput(quiet, out)
