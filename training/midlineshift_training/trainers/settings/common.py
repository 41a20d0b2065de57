"""Settings that every training run has, and what a run records of itself beside them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.config import JsonDict


def _no_truth_value(value: Any) -> Any:
    """Reject true and false where a number is asked for: pydantic would count them as 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("Input should be a number")
    return value


Real = Annotated[float, BeforeValidator(_no_truth_value)]
Whole = Annotated[int, BeforeValidator(_no_truth_value)]
AtLeastOne = Annotated[Whole, Field(ge=1)]
NotNegative = Annotated[Whole, Field(ge=0)]
Share = Annotated[Real, Field(ge=0, le=1)]
Precision = Literal["32-true", "bf16-mixed", "16-mixed"]
RECORDED: JsonDict = {"recorded": True}
"""Marks a field that a command's option or the run itself fills, and that no settings file may hold."""

Kind = TypeVar("Kind", bound="RunSettings")


class Section(BaseModel):
    """A typed group of settings. Unknown names and wrong types are refused."""

    model_config = ConfigDict(extra="forbid", validate_default=True)


def recorded(meaning: str, default: Any = None) -> Any:
    """Return a field that a run records beside its settings."""
    return Field(default, description=meaning, json_schema_extra=RECORDED)


class RunSettings(Section):
    """Settings of any training run, and what the run was started with."""

    batch: AtLeastOne = Field(16, description="Slices of one forward pass.")
    microbatches: AtLeastOne | None = Field(
        None,
        description="Forward passes of `batch` slices that make one step, over all processes; null: one a process.",
    )
    learning_rate: Annotated[Real, Field(ge=0)] = Field(1e-3, description="Highest learning rate of AdamW.")
    rate: Literal["cosine", "constant", "linear"] = Field(
        "cosine", description="Schedule of the learning rate: warm-up and cosine, constant, or linearly to 0."
    )
    weight_decay: Annotated[Real, Field(ge=0)] = Field(1e-4, description="Weight decay of AdamW.")
    warm_up: NotNegative = Field(100, description="Steps over which the rate rises, of the cosine schedule.")
    gradient_clip: Annotated[Real, Field(ge=0)] | None = Field(
        3.0, description="Largest norm of the gradient; null or 0: not limited."
    )
    ema_decay: Share = Field(0.995, description="Decay of the averaged weights, a step.")
    max_steps: AtLeastOne = Field(3000, description="Steps of the optimizer.")
    check_every: AtLeastOne = Field(250, description="Steps between checks (validation, then checkpoint).")
    patience: AtLeastOne | None = Field(
        None, description="Checks without a better score after which the run ends; null: never."
    )
    earlier_checkpoints: NotNegative = Field(0, description="Earlier checkpoints kept beside the last one.")
    pictures_every: NotNegative = Field(1, description="Checks from one set of pictures to the next; 0: none.")
    precision: Precision = Field("bf16-mixed", description="Arithmetic of the forward and backward passes.")
    compile: bool = Field(False, description="torch.compile of the network; needs a C++ compiler on a CPU.")
    channels_last: bool = Field(True, description="Channels-last layout of images and convolution weights.")
    fused_optimizer: bool | None = Field(None, description="AdamW in one kernel; null: on a GPU.")
    loggers: list[Literal["tensorboard", "csv", "mlflow", "wandb"]] = Field(
        ["tensorboard"],
        description="Where terms, rates and validation figures go; mlflow and wandb have to be installed.",
    )
    loggers_offline: bool = Field(
        True, description="MLflow and Weights & Biases write into the run folder instead of to their servers."
    )
    workers: NotNegative = Field(0, description="Processes that make batches; 0: the training process itself.")
    seed: NotNegative = Field(0, description="Seed of data order, augmentation, noise and initial weights.")

    data: list[str] = recorded("Folders and sets that the run is trained on (--data).", [])
    cases: int | None = recorded("Cases to train on.")
    validation_cases: int | None = recorded("Cases to validate with.")
    held_out: list[str] = recorded("Names of the cases to validate with.", [])
    init: str | None = recorded("Weights that the run started from (--init).")
    averaged: list[str] = recorded("Runs whose weights were averaged.", [])
    versions: dict[str, str] = recorded("Of Python, torch and Lightning at the last start.", {})

    @model_validator(mode="after")
    def _clipping_goes_with_the_optimizer(self) -> RunSettings:
        if self.fused_optimizer and self.precision == "16-mixed":
            raise ValueError("fused_optimizer does not go with precision 16-mixed: gradients are clipped.")
        return self

    def __or__(self: Kind, values: dict[str, Any]) -> Kind:
        """Return a checked copy with these values in the place of its own; nested settings are replaced as a whole."""
        return type(self).model_validate(self.model_dump() | values)


def is_recorded(name: str, kind: type[RunSettings]) -> bool:
    """Return whether a field is filled by a command or a run instead of a settings file."""
    extra = kind.model_fields[name].json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("recorded"))
