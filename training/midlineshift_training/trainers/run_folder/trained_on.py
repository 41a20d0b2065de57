"""What the weights of a run have seen: its own data, and those of the weights that it started from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from midlineshift_training.datasets.sources import DataSource, describe_sources, recorded_sources
from midlineshift_training.trainers.run_folder.provenance import read_provenance
from midlineshift_training.trainers.settings.stored import FILE as SETTINGS_FILE
from midlineshift_training.trainers.settings.stored import load_run_settings
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.models.folder import read_description
from MidlineShiftLogic.models.locate import list_models

MODEL_FILE = "model.json"


@dataclass
class TrainedOn:
    """What weights were trained on.

    Attributes:
        sources: recorded data. models: what models say whose weights were started from. unknown: places that say nothing.
    """

    sources: list[DataSource] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def add(self, other: TrainedOn) -> None:
        """Take over what other weights have seen."""
        self.sources += other.sources
        self.models += [text for text in other.models if text not in self.models]
        self.unknown += [text for text in other.unknown if text not in self.unknown]

    def to_json(self) -> dict[str, Any]:
        """Return the entry of ``provenance.json``."""
        return {"sources": [asdict(one) for one in self.sources], "models": self.models, "unknown": self.unknown}

    def text(self) -> str:
        """Say it in words.

        Raises:
            InputError: some of the data are not known (code ``unknown-source``).
        """
        if self.unknown:
            raise InputError(
                f"What {self.unknown[0]} was trained on is recorded nowhere; say it with --trained-on.",
                "unknown-source",
            )
        own = describe_sources(self.sources) if self.sources or not self.models else ""
        return "; ".join(filter(None, [own, *self.models]))


def trained_on(runs: Iterable[Path]) -> TrainedOn:
    """Collect what the weights of runs have seen, those that they started from included."""
    result = TrainedOn()
    for run in runs:
        result.add(_of_run(run))
    return result


def weights_trained_on(source: Path) -> TrainedOn:
    """Return what the weights have seen that a run starts from.

    Args:
        source: a run folder, a model folder, a file in one, or the name of a shipped model.
    """
    named = list_models().get(str(source))
    folder = named if named and not source.exists() else source if source.is_dir() else source.parent
    if (folder / SETTINGS_FILE).exists():
        return _of_run(folder)
    if (folder / MODEL_FILE).exists():
        description = read_description(folder)
        return TrainedOn(models=[f"weights of {description.name} {description.version} ({description.trained_on})"])
    return TrainedOn(unknown=[str(source)])


def _of_run(run: Path) -> TrainedOn:
    provenance = read_provenance(run)
    result = TrainedOn()
    for entry in provenance.get("data", []):
        sources = entry.get("sources")
        if sources is None and Path(entry["path"]).exists():  # runs of before sources were recorded
            sources = recorded_sources(Path(entry["path"]))
        if sources is None:
            result.unknown.append(str(run))
        else:
            result.sources += [DataSource(**one) for one in sources]
    initial = provenance.get("initial")
    if initial is not None:
        stored = TrainedOn([DataSource(**one) for one in initial["sources"]], initial["models"], initial["unknown"])
        result.add(stored)
    else:
        settings = load_run_settings(run)
        for earlier in filter(None, [settings.init, *settings.averaged]):
            result.add(weights_trained_on(Path(earlier)))
    if not (provenance.get("data") or result.sources or result.models):
        result.unknown.append(str(run))
    return result
