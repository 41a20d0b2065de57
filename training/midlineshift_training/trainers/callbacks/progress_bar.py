"""How far a run is: a bar over all its steps with the time left, and a line a check."""

from __future__ import annotations

import sys
import time

from lightning.pytorch.callbacks import ProgressBar
from tqdm import tqdm

from midlineshift_training.trainers.callbacks.weight_averaging import SCORE

SHOW_EVERY = 20
"""Steps between two looks at the loss (each waits for the device)."""
LINE_SECONDS = 60.0
"""Between two lines where there is no terminal."""
FIGURES = ("validation/shift_mm", "validation/first_shift_mm", "validation/line_mm")
"""Validation errors that are printed where a task has them."""


class StepProgressBar(ProgressBar):
    """A bar on a terminal; everywhere else (a cluster's log) a line a minute. Each check gets a line on both.

    Args:
        name: of the run.
        figures: validation figures that the line shows beside the score, as far as the run has them.
    """

    def __init__(self, name: str, figures: tuple[str, ...] = FIGURES):
        super().__init__()
        self.name, self.figures = name, figures
        self.bar: tqdm | None = None
        self._began, self._last_line, self._first, self._best = 0.0, 0.0, 0, float("inf")

    @property
    def state_key(self) -> str:
        return "StepsBar"  # this class's first name: runs that were started under it resume

    def disable(self) -> None:
        """Show nothing; Lightning calls it in every process but the first."""
        self.bar = None

    def on_train_start(self, trainer, pl_module):
        if trainer.is_global_zero:
            # disable=None: no bar where the output is no terminal
            self.bar = tqdm(
                total=trainer.max_steps, initial=trainer.global_step, desc=self.name, unit="step", disable=None
            )
        self._began, self._first = time.monotonic(), trainer.global_step
        self._last_line = self._began

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if self.bar is None:
            return
        self.bar.update(trainer.global_step - self.bar.n)
        if self.bar.disable and time.monotonic() - self._last_line >= LINE_SECONDS:
            self._last_line = time.monotonic()
            loss = float(outputs["loss"]) * trainer.accumulate_grad_batches
            self.bar.write(f"{self._place(trainer)}  loss {loss:.4g}  {self._left(trainer)} left", file=sys.stderr)
        if trainer.global_step % SHOW_EVERY == 0:
            self.bar.set_postfix_str(f"loss {float(outputs['loss']) * trainer.accumulate_grad_batches:.4g}")

    def on_validation_end(self, trainer, pl_module):
        if self.bar is not None:
            self.bar.write(self.check_line(trainer.callback_metrics, trainer), file=sys.stderr)

    def check_line(self, metrics, trainer) -> str:
        """Return ``pose  step 250 of 3000  score 1.23 (best)  shift_mm 1.9  4 min left``."""
        score = float(metrics[SCORE])
        best, self._best = score < self._best, min(score, self._best)
        figures = [f"{name.partition('/')[2]} {float(metrics[name]):.3g}" for name in self.figures if name in metrics]
        parts = [
            self._place(trainer),
            f"score {score:.4g}" + (" (best)" if best else f" (best {self._best:.4g})"),
            *figures,
            f"{self._left(trainer)} left",
        ]
        return "  ".join(parts)

    def _place(self, trainer) -> str:
        return f"{self.name}  step {trainer.global_step} of {trainer.max_steps}"

    def _left(self, trainer) -> str:
        """Return time that the rest of the run takes at the pace of this call."""
        seconds = time.monotonic() - self._began
        done, missing = trainer.global_step - self._first, trainer.max_steps - trainer.global_step
        return duration(seconds / max(1, done) * missing)

    def on_train_end(self, trainer, pl_module):
        self._close()

    def on_exception(self, trainer, pl_module, exception):
        self._close()

    def _close(self) -> None:
        if self.bar is not None:
            self.bar.close()

    def state_dict(self):
        return {"best": self._best}

    def load_state_dict(self, state_dict):
        self._best = state_dict["best"]


def duration(seconds: float) -> str:
    """Return ``40 s``, ``12 min``, ``3 h 05 min``."""
    minutes = round(seconds / 60)
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
