"""The models that can be chosen, described by their ``model.json`` alone: neither torch nor weights are loaded."""

from dataclasses import dataclass
from pathlib import Path

from slicer.i18n import tr as _

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.models.accuracy import accuracy_sentence
from MidlineShiftLogic.models.description import parse_description
from MidlineShiftLogic.models.locate import DEFAULT_MODEL, list_models
from MidlineShiftLogic.text import parse_json


@dataclass(frozen=True)
class ModelChoice:
    """One entry of the selector: ``key`` is what the command line is given; ``usable`` is False for a broken folder,
    ``generatesPseudoHealthy`` is True for a model that can make a pseudo-healthy image, ``pseudoHealthyPassed`` where its
    description says that these images passed their checks."""

    key: str
    label: str
    about: str
    usable: bool
    generatesPseudoHealthy: bool = False
    pseudoHealthyPassed: bool = False


def releasedModels() -> list[ModelChoice]:
    """Return models that can be given by name, the default one first."""
    found = list_models()
    names = sorted(found, key=lambda name: name != DEFAULT_MODEL)
    return [modelChoice(name, found[name]) for name in names]


def modelChoice(key: str, folder: Path) -> ModelChoice:
    """Return the entry for a model folder; one that cannot be read is listed with the reason."""
    try:
        content = parse_json((folder / "model.json").read_text(encoding="utf-8"))
        description = parse_description(content)
    except (OSError, ValueError, InputError) as error:
        return ModelChoice(
            key, _("{name} (cannot be used)").format(name=key), f"{folder / 'model.json'}: {error}", False
        )
    about = _("Trained on {data}. {accuracy}").format(
        data=description.trained_on, accuracy=accuracy_sentence(description.accuracy)
    )
    generates = {
        "conditional",
        "unconditional",
    } <= description.components.keys() or "denoiser" in description.components
    checks = description.accuracy.get("pseudo_healthy")
    passed = isinstance(checks, dict) and checks.get("passed") is True
    return ModelChoice(key, f"{description.name} {description.version}", about, True, generates, passed)
