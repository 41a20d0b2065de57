"""Write figures of what the averaged network does with fixed cases, after each check: in TensorBoard and as PNG."""

from __future__ import annotations

from pathlib import Path

import lightning
import numpy as np
import torch
from lightning.pytorch.loggers import TensorBoardLogger, WandbLogger

from midlineshift_training.trainers.run_folder.atomic_write import write_atomic

FOLDER = "pictures"


class FigureWriter(lightning.Callback):
    """Write the figures of a check.

    It has to come before the callback that puts the current weights back in the place of the averaged ones.

    Args:
        run: run folder; ``pictures/NAME.png`` is always the latest.
        every: checks from one set of pictures to the next; 0 for none.
    """

    def __init__(self, run: Path, every: int):
        self.run, self.every = run, every

    def on_validation_epoch_end(self, trainer, pl_module):
        if not self.every or not trainer.is_global_zero or trainer.current_epoch % self.every:
            return
        with torch.no_grad():
            figures = pl_module.pictures()
        for name, figure in figures.items():
            self._keep(name, figure, trainer)

    def _keep(self, name: str, figure, trainer) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        pixels = np.asarray(canvas.buffer_rgba())[..., :3]
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image(name, pixels, trainer.global_step, dataformats="HWC")
            elif isinstance(logger, WandbLogger):
                logger.log_image(name, [pixels], trainer.global_step)
        (self.run / FOLDER).mkdir(exist_ok=True)
        write_atomic(self.run / FOLDER / f"{name}.png", lambda path: figure.savefig(path, format="png"))
