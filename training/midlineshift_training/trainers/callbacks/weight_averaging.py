"""Averaged weights, and the best of them kept."""

from __future__ import annotations

import math
from pathlib import Path

from lightning.pytorch.callbacks import WeightAveraging
from safetensors.torch import save_file

from midlineshift_training.trainers.run_folder.atomic_write import write_atomic
from MidlineShiftLogic.errors import InputError

SCORE = "validation/score"


class WeightAveragingKeepBest(WeightAveraging):
    """Exponential moving average of the weights; after each validation of the average, the best is written out.

    Args:
        run: run folder.
        decay: of the average; early on it is lower, (1 + step) / (10 + step), so that the start is forgotten.
    """

    def __init__(self, run: Path, decay: float):
        super().__init__(avg_fn=lambda average, current, n: average + (1 - self._decay(int(n))) * (current - average))
        self.run, self.decay, self.best = run, decay, math.inf

    @property
    def state_key(self) -> str:
        return "AverageAndKeepBest"  # this class's first name: runs that were started under it resume

    def _decay(self, step: int) -> float:
        return min(self.decay, (1 + step) / (10 + step))

    def on_validation_epoch_end(self, trainer, pl_module):
        score = pl_module.validation_score()
        if not math.isfinite(score):
            # before the check's checkpoint: that of the check before stays
            raise InputError(
                f"Training has diverged: the validation score at step {trainer.global_step} is {score}. Lower "
                f"learning_rate or choose precision 32-true, in another run; {self.run} keeps the last good check.",
                "diverged",
            )
        pl_module.log(SCORE, score, batch_size=1, logger=False)
        if score < self.best:
            self.best = score
            if trainer.is_global_zero:
                self._write(pl_module, score, trainer.global_step)
        super().on_validation_epoch_end(trainer, pl_module)

    def _write(self, pl_module, score: float, step: int) -> None:
        weights = {name: value.detach().cpu().contiguous() for name, value in pl_module.network.state_dict().items()}
        metadata = {"score": f"{score:.6g}", "step": str(step)}
        write_atomic(self.run / "best.safetensors", lambda path: save_file(weights, path, metadata=metadata))

    def state_dict(self):
        return super().state_dict() | {"best": self.best}

    def load_state_dict(self, state_dict):
        super().load_state_dict(state_dict)
        self.best = state_dict["best"]
