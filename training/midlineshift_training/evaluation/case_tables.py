"""Tables of other groups' data sets that say something of whole cases: yes or no by radiologists, or millimetres.

CQ500 (Chilamkurthy et al., Lancet 392, 2018) ships ``reads.csv``: a row a scan with the columns ``name`` and, for each of
three radiologists, ``R1:MidlineShift`` and so on, 0 or 1. Its authors counted a shift of more than 5 mm. Other data sets
give a number a case: columns ``case`` (or ``name``) and ``shift_mm``, a size without a side.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from midlineshift_training.evaluation import bootstrap
from midlineshift_training.evaluation.agreement import proportion
from midlineshift_training.evaluation.jobs import ModelResult
from MidlineShiftLogic.errors import InputError

READS_COLUMN = re.compile(r"^R\d+:MidlineShift$", re.IGNORECASE)
READS_THRESHOLDS_MM = (3.0, 5.0)
F1_THRESHOLDS_MM = (1.0, 3.0, 5.0)


def key_of(name: str) -> str:
    """Return what two spellings of a case's name have in common.

    Only letters and digits count, in any case. A name that is given twice in a row, with a space or another sign between,
    counts once, as in the folders of CQ500 (``CQ500CT0 CQ500CT0`` for ``CQ500-CT-0``); numbers alone need the space, since
    ``1-1`` is not ``1``.
    """
    words = re.findall(r"[a-z0-9]+", name.lower())
    half = len(words) // 2
    key = "".join(words)
    twice = words[:half] == words[half:] and (not key.isdigit() or len(name.split()) > 1)
    return "".join(words[:half]) if twice else key


def load_reads(path: Path) -> dict[str, tuple[bool, ...]]:
    """Read whether each radiologist saw a midline shift.

    Returns:
        key of the case (``key_of``) -> one answer a radiologist.

    Raises:
        InputError: the file cannot be read, lacks the columns, names a case twice, or a cell is neither 0 nor 1; names
            the row.
    """
    rows, columns = _rows(path)
    raters = [name for name in columns if READS_COLUMN.match(name)]
    if "name" not in columns or not raters:
        raise InputError(f"{path} is no table of reads: it needs the columns name and R1:MidlineShift.", "reads")
    found: dict[str, tuple[bool, ...]] = {}
    for number, row in enumerate(rows, 2):
        answers = [row[name].strip() for name in raters]
        if any(answer not in ("0", "1") for answer in answers):
            raise InputError(f"{path}, line {number}: midline shift is {', '.join(answers)}, not 0 or 1.", "reads")
        _add(found, path, number, row["name"], tuple(answer == "1" for answer in answers))
    return found


def load_sizes(path: Path) -> dict[str, float]:
    """Read the size of each case's shift.

    Returns:
        key of the case (``key_of``) -> mm without a side.

    Raises:
        InputError: the file cannot be read, lacks the columns, names a case twice, or a cell is no number; names the row.
    """
    rows, columns = _rows(path)
    names = [name for name in ("case", "name") if name in columns]
    if not names or "shift_mm" not in columns:
        raise InputError(f"{path} is no table of sizes: it needs the columns case and shift_mm.", "sizes")
    found: dict[str, float] = {}
    for number, row in enumerate(rows, 2):
        try:
            size = abs(float(row["shift_mm"]))
        except ValueError:
            size = np.nan
        if not np.isfinite(size):
            raise InputError(f"{path}, line {number}: shift_mm is {row['shift_mm']!r}, not a number.", "sizes")
        _add(found, path, number, row[names[0]], size)
    return found


def _add(found: dict[str, Any], path: Path, number: int, name: str, value: Any) -> None:
    key = key_of(name)
    if key in found:
        raise InputError(f"{path}, line {number}: the case {name!r} is there already.", "table")
    found[key] = value


def _rows(path: Path) -> tuple[list[dict[str, str]], list[str]]:
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restval="")
            return list(reader), list(reader.fieldnames or ())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"{path} cannot be read as a CSV table ({why}).", "table") from None


def summarise_reads(
    results: Sequence[ModelResult], reads: Mapping[str, tuple[bool, ...]], seed: int = 0
) -> dict | None:
    """Hold measured shifts against the majority of the radiologists.

    Args:
        results: of one model. reads: from ``load_reads``. seed: of the bootstrap.

    Returns:
        ``n``, ``refused``, ``positive``; ``unanimous``, share of cases on which all radiologists agree; where both classes
        exist ``auc`` of |shift| and, if the model gives it, ``auc_probability`` of P(> 5 mm); per threshold
        ``at_5_mm`` and so on with ``sensitivity`` and ``specificity``. None without a case that has reads.
    """
    mine = [(one, reads[key_of(one.case)]) for one in results if key_of(one.case) in reads]
    done = [(one, answers) for one, answers in mine if one.measured_mm is not None]
    if not done:
        return None
    positive = np.array([2 * sum(answers) > len(answers) for _, answers in done])
    size = np.abs(np.array([one.measured_mm for one, _ in done], dtype=float))
    agreed = sum(len(set(answers)) == 1 for _, answers in done)
    result: dict = {"n": len(done), "refused": len(mine) - len(done), "positive": int(positive.sum())}
    result["unanimous"] = proportion(agreed, len(done))
    weights = bootstrap.draw_weights(np.arange(len(done)), seed)
    if positive.any() and not positive.all():
        result["auc"] = bootstrap.interval(bootstrap.area_under_roc(weights, size, positive))
        p = [one.p_over_5mm for one, _ in done]
        if all(value is not None for value in p):
            result["auc_probability"] = bootstrap.interval(bootstrap.area_under_roc(weights, np.array(p), positive))
    for threshold in READS_THRESHOLDS_MM:
        called, entry = size >= threshold, {}
        if positive.any():
            entry["sensitivity"] = proportion(int(called[positive].sum()), int(positive.sum()))
        if not positive.all():
            entry["specificity"] = proportion(int((~called[~positive]).sum()), int((~positive).sum()))
        result[f"at_{threshold:g}_mm"] = entry
    return result


def f1_scores(measured: np.ndarray, truth: np.ndarray, seed: int = 0) -> dict[str, dict]:
    """Return the F1 score of |shift| at each threshold with its bootstrap interval.

    Args:
        measured, truth: (n,) mm. seed: of the bootstrap.

    Returns:
        ``at_1_mm`` and so on -> ``value``, ``low``, ``high``; thresholds that neither reaches are left out.
    """
    weights = bootstrap.draw_weights(np.arange(len(truth)), seed)
    found = {}
    for threshold in F1_THRESHOLDS_MM:
        called, positive = np.abs(measured) >= threshold, np.abs(truth) >= threshold
        if called.any() or positive.any():
            hits, all_of_both = weights @ (called & positive), weights @ called + weights @ positive
            with np.errstate(invalid="ignore", divide="ignore"):
                found[f"at_{threshold:g}_mm"] = bootstrap.interval(2 * hits / all_of_both)
    return found
