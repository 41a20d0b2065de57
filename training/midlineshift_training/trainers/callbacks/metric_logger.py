"""Training terms, learning rate and validation figures for the loggers, at the step of the run."""

from __future__ import annotations

import lightning


class MetricLogger(lightning.Callback):
    """Log at ``trainer.global_step``, which a checkpoint restores.

    Lightning's own counter for ``self.log`` is one too high after each resumption; modules log with ``logger=False``.

    Args:
        every: steps between two entries of the training terms.
    """

    def __init__(self, every: int):
        self.every = every
        self._logged = 0

    def on_train_start(self, trainer, pl_module):
        self._logged = trainer.global_step

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        step = trainer.global_step
        if step % self.every or step == self._logged or not trainer.is_global_zero:
            return
        self._logged = step
        terms = {f"train/{name}": float(value) for name, value in pl_module.last_terms.items()}
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        _log(trainer, terms | {"learning_rate": rate}, step)

    def on_validation_end(self, trainer, pl_module):
        if trainer.is_global_zero:
            found = trainer.callback_metrics.items()
            _log(trainer, {n: float(v) for n, v in found if n.startswith("validation/")}, trainer.global_step)


def _log(trainer: lightning.Trainer, metrics: dict[str, float], step: int) -> None:
    """Log, and write to the disk at once: the checkpoint comes next, and a run resumed from it does not log this again."""
    for logger in trainer.loggers:
        logger.log_metrics(metrics, step)
        logger.save()
