"""The folder of an evaluation: CSV of every case, tables, ``evaluation.json``; complete or unchanged."""

from __future__ import annotations

import contextlib
import csv
import math
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from midlineshift_training.evaluation.jobs import CaseResult, ModelResult
from midlineshift_training.evaluation.report_text import full_text, short_text
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.unfinished import unfinished_folder

FORMAT = "midlineshift-evaluation/1"
FIGURES = "figures"
CASE_COLUMNS = (
    "set", "case", "model", "truth_mm", "measured_mm", "low_mm", "high_mm", "p_over_5mm", "authors_mm", "slice", "refused",
    "flags", "groups", "seconds",
)  # fmt: skip
SLICE_COLUMNS = ("set", "case", "model", "slice", "truth_mm", "measured_mm")
WARP_COLUMNS = ("case", "amplitude_mm", "change_mm", "refused")
CHANGE_COLUMNS = ("alteration", "case", "change_mm", "refused")


def rows_of(done: list[CaseResult]) -> tuple[list[dict], list[dict]]:
    """Return all rows of known shifts and all of alterations."""
    return [row for one in done for row in one.warps], [row for one in done for row in one.changes]


@contextlib.contextmanager
def partial_folder(out: Path) -> Iterator[Path]:
    """Yield an empty folder inside ``out``, removed at the end. InputError if ``out`` cannot be written."""
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(unfinished_folder(out / "evaluation"))
        except OSError as error:
            raise InputError(f"Cannot write into {out} ({error.strerror}); choose another --out.", "out") from None
        yield folder


def write_tables(folder: Path, evaluation: dict, done: list[CaseResult]) -> None:
    """Write the tables in Markdown and every case, slice, known shift and alteration as CSV."""
    (folder / "table.md").write_text(full_text(evaluation), encoding="utf-8")
    (folder / "short.md").write_text(short_text(evaluation), encoding="utf-8")
    results = [r for one in done for r in one.results]
    warps, changes = rows_of(done)
    _write_csv(folder / "cases.csv", CASE_COLUMNS, map(_case_row, results))
    _write_csv(folder / "slices.csv", SLICE_COLUMNS, (row for r in results for row in _slice_rows(r)))
    _write_csv(folder / "known_shifts.csv", WARP_COLUMNS, warps)
    _write_csv(folder / "changes.csv", CHANGE_COLUMNS, changes)


def _write_csv(path: Path, columns: tuple[str, ...], rows: Iterable[dict]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def _case_row(r: ModelResult) -> dict:
    low, high = r.interval_mm or (None, None)
    groups = "; ".join(f"{by}: {', '.join(names)}" for by, names in r.groups.items())
    named = {name: getattr(r, name) for name in CASE_COLUMNS if name not in ("low_mm", "high_mm", "groups")}
    return named | {"low_mm": low, "high_mm": high, "groups": groups}


def _slice_rows(r: ModelResult) -> Iterable[dict]:
    for index, truth, measured in r.slices:
        yield dict(zip(SLICE_COLUMNS, (r.set, r.case, r.model, index, truth, measured), strict=True))


def finite(value: Any) -> Any:
    """Replace NaN, which JSON lacks, by None: the statistic does not exist."""
    if isinstance(value, dict):
        return {key: finite(one) for key, one in value.items()}
    if isinstance(value, list):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def move_into(partial: Path, out: Path) -> None:
    """Move the finished files over those of an older evaluation; ``evaluation.json``, which names the others, last."""
    shutil.rmtree(out / FIGURES, ignore_errors=True)
    for path in sorted(partial.iterdir(), key=lambda path: path.name == "evaluation.json"):
        path.replace(out / path.name)
