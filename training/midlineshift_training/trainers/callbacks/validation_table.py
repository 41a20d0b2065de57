"""The table of a run's checks. Its rows are part of the checkpoint, so a resumed run has no row twice."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Any

import lightning

from midlineshift_training.trainers.callbacks.weight_averaging import SCORE
from midlineshift_training.trainers.run_folder.atomic_write import write_atomic
from MidlineShiftLogic.errors import InputError

FILE, EARLIER_FILE = "validation.csv", "checks.csv"


class ValidationTable(lightning.Callback):
    """Keep one row a check: step, seconds trained so far, learning rate, mean training terms since the check before,
    validation figures. Written to ``validation.csv``."""

    def __init__(self, run: Path):
        self.run = run
        self.rows: list[dict[str, float]] = []
        self._before, self._began = 0.0, time.monotonic()

    @property
    def state_key(self) -> str:
        return "History"  # this class's first name: runs that were started under it resume

    def on_train_start(self, trainer, pl_module):
        self._before = self.rows[-1]["seconds"] if self.rows else 0.0
        self._began = time.monotonic()
        pl_module.pop_terms()

    def on_validation_end(self, trainer, pl_module):
        terms = pl_module.pop_terms()
        means = {f"train/{name}": float(trainer.strategy.reduce(value)) for name, value in terms.items()}
        checked = {n: float(v) for n, v in trainer.callback_metrics.items() if n.startswith("validation/")}
        row = {
            "step": trainer.global_step,
            "seconds": round(self._before + time.monotonic() - self._began, 1),
            "learning_rate": trainer.optimizers[0].param_groups[0]["lr"],
        }
        self.rows.append(row | means | {SCORE: checked.pop(SCORE)} | checked)
        if trainer.is_global_zero:
            write_atomic(self.run / FILE, self._write)

    def _write(self, path: Path) -> None:
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(self.rows)

    def state_dict(self) -> dict[str, Any]:
        return {"rows": [dict(row) for row in self.rows]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = [dict(row) for row in state_dict["rows"]]


def read_validation_table(run: Path) -> list[dict[str, float]]:
    """Read the rows of ``validation.csv``, or of an earlier version's ``checks.csv``; missing values are left out.

    Raises:
        InputError: there is no such table.
    """
    path = run / FILE if (run / FILE).exists() else run / EARLIER_FILE
    try:
        with open(path, newline="", encoding="utf-8") as file:
            return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]
    except (OSError, ValueError):
        raise InputError(f"{run} has had no check yet (no usable {FILE}).", "run") from None


def best_row(rows: list[dict[str, float]]) -> dict[str, float]:
    """Return the first row with the lowest score: that of ``best.safetensors``."""
    return min(rows, key=lambda row: row[SCORE])
