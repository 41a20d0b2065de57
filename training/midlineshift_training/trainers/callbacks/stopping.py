"""When a run ends before its last step."""

from __future__ import annotations

from datetime import timedelta

from lightning.pytorch.callbacks import EarlyStopping, Timer

from midlineshift_training.trainers.callbacks.weight_averaging import SCORE


class StopEarly(EarlyStopping):
    """Ends the run when the score has not got better for ``patience`` checks; a resumed run that had ended stays ended
    unless it is given more patience."""

    def __init__(self, patience: int):
        # at the end of an epoch it would be asked again, without a score, whenever a run is resumed
        super().__init__(SCORE, patience=patience, check_finite=False, verbose=False, check_on_train_epoch_end=False)

    def load_state_dict(self, state_dict):
        patience = self.patience
        super().load_state_dict(state_dict)
        self.patience = patience  # the settings', not the checkpoint's

    def on_train_start(self, trainer, pl_module):
        super().on_train_start(trainer, pl_module)
        if self.wait_count >= self.patience:
            trainer.should_stop = True


class TimeLimit(Timer):
    """Ends this call of the command (not the run) with the first check after ``minutes``; all processes agree on it."""

    def __init__(self, minutes: float):
        super().__init__(timedelta(minutes=minutes), interval="epoch", verbose=False)

    def on_fit_start(self, trainer, *args, **kwargs):
        pass  # Timer would end here, before the first check, a call whose limit is 0

    def state_dict(self):
        return {}

    def load_state_dict(self, state_dict):
        pass
