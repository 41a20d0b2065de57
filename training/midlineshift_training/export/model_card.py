"""The model card: the model's README, its tables, and the accuracy in ``model.json``, from what was measured.

The card is two screens long; every table and figure is in ``measured.md`` beside it. No number is typed in: training
facts come from the runs' folders, figures from ``evaluate``'s folder.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

from midlineshift_training.evaluation.report_text import full_text
from midlineshift_training.export.card_tables import figures, networks_table, summary_table, weak_groups, worst_table
from midlineshift_training.export.run_facts import run_facts

CARD, TABLES = "README.md", "measured.md"
PARTS = ("pose", "denoiser", "unconditional", "conditional", "deformation", "refinement")
WARNING = """\
**Research use only. Not a medical device.** Not for diagnosis, triage or treatment. Look at the picture before
believing the number."""
PHANTOMS = """\
The phantoms are made by `midlineshift-train phantoms` from published brain templates, whose notices are in
`training/midlineshift_training/datasets/phantoms/NOTICE`. No scan and no picture of a patient is in this folder."""
CT_ICH = """\
CT-ICH 1.0.0 (Hssayeni et al., Data 2020; PhysioNet; CC BY 4.0) are CT of trauma patients of all ages, published as
8-bit windows. Hounsfield units were rebuilt from these, at an estimated pixel size that is good to about 10 % for each
patient. The readers who measured them are not radiologists."""
NOT_FOR = """\
- Any decision about a patient: diagnosis, triage, treatment, monitoring.
- Scans it was not measured on: contrast-enhanced CT, large metal artefacts, motion, MR.
- Shifts of the posterior fossa or at the vertex: the number describes the septum pellucidum.
- The side of shifts below about 2 mm: they are within the errors above.
- Files whose pixel size is not certain: the millimetres are those of the file."""
# What a card of two screens has room for.
MOST_GROUPS, MOST_CASES = 5, 5


def seen_text(evaluation: dict) -> str | None:
    """Return which of the measured real scans training saw; None where this was not recorded."""
    seen = evaluation.get("seen")
    if folds := evaluation.get("folds"):
        start = f" Before that, training saw without any reading: {', '.join(seen)}." if seen else ""
        return (
            "This model was trained on the real scans measured below, with landmarks of readers. Their figures are those of "
            f"{len(folds)} networks trained in the same way, each without the patients that it measured.{start}"
        )
    if seen is None:
        return None
    if not seen:
        return "None of the real scans measured below was used in training."
    return f"Of the real scans measured below, training saw, without any reading: {', '.join(seen)}. No other."


def shipped_networks(description) -> dict[str, str]:
    """Return component -> name and version of the shipped model whose weights it has."""
    from MidlineShiftLogic.models.folder import read_description
    from MidlineShiftLogic.models.locate import list_models

    found: dict[str, str] = {}
    for folder in list_models().values():
        shipped = read_description(folder)
        for name, component in description.components.items():
            if name in shipped.components and shipped.components[name].sha256 == component.sha256:
                found.setdefault(name, f"{shipped.name} {shipped.version}")
    return found


def card_text(description, facts: dict[str, dict], evaluation: dict) -> str:
    """Return the card as Markdown.

    Args:
        description: ``ModelDescription``.
        facts: component -> ``run_facts``.
        evaluation: contents of ``evaluation.json``; its figures are beside the card.
    """
    trained_on = description.trained_on.rstrip(".")
    weak = weak_groups(evaluation)[:MOST_GROUPS]
    pictures = {name: caption for name, caption in evaluation.get("figures", {}).items() if name == "scatter.png"}
    parts = [
        f"# {description.name} {description.version}",
        WARNING,
        description.description,
        "## Accuracy",
        summary_table(evaluation),
        f"Measured by `midlineshift-train evaluate`. Every table, figure and failure: [{TABLES}]({TABLES}).",
        *_images(pictures),
        "## Data",
        f"Trained on {trained_on}. Licence of the weights: {description.licence}.",
        PHANTOMS,
        CT_ICH if "CT-ICH" in trained_on else None,
        "## Training",
        networks_table(facts),
        *_taken_along(description, facts),
        "## Where it fails",
        "Groups with errors certainly above those of their set:\n\n" + "\n".join(f"- {line}" for line in weak)
        if weak
        else None,
        "The largest errors:",
        worst_table(evaluation, MOST_CASES),
        "## What it must not be used for",
        NOT_FOR,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def tables_text(description, facts: dict[str, dict], evaluation: dict) -> str:
    """Return everything that was measured as Markdown; the arguments are those of ``card_text``."""
    pictures = evaluation.get("figures", {})
    worst = {name: caption for name, caption in pictures.items() if name.startswith("worst")}
    versions = ", ".join(f"{name} {version}" for name, version in list(facts.values())[-1]["versions"].items())
    parts = [
        f"# What was measured of {description.name} {description.version}",
        f"Written by `midlineshift-train card` from what `evaluate` measured. [The card]({CARD}) is the short of it.",
        seen_text(evaluation),
        f"Trained with {versions}. Minutes of training are wall time of all runs." if versions else None,
        full_text(evaluation, 2).strip(),
        *_images({name: caption for name, caption in pictures.items() if name not in worst}),
        "## Largest errors",
        worst_table(evaluation),
        *_images(worst),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _taken_along(description, facts: dict[str, dict]) -> list[str]:
    """Name the networks that were not trained for this model."""
    unnamed = set(description.components) - set(facts)
    if not unnamed:
        return []
    return [
        f"The {part} network is that of {model}."
        for part, model in shipped_networks(description).items()
        if part in unnamed
    ]


def _images(pictures: dict[str, str]) -> list[str]:
    return [f"![{caption}]({name})\n\n{caption}" for name, caption in pictures.items()]


def write_card(model: Path, runs: dict[str, Path], evaluation: Path) -> Path:
    """Write the card, its tables and figures, and the accuracy into a model folder.

    Args:
        model: model folder.
        runs: component name -> run folder, one for every network of the model that is not a shipped model's.
        evaluation: folder that ``evaluate`` wrote for this model.

    Returns:
        Path of the README.

    Raises:
        InputError: a run is missing or too many, or the evaluation is of other weights.
    """
    from midlineshift_training.trainers.run_folder.atomic_write import write_atomic, write_text_atomic
    from MidlineShiftLogic.errors import InputError
    from MidlineShiftLogic.models.folder import read_description

    description = read_description(model)
    unnamed = set(description.components) - set(runs)
    if set(runs) - set(description.components) or not runs or unnamed - set(shipped_networks(description)):
        raise InputError(
            f"--run must name exactly the model's networks: {', '.join(description.components)}; those taken along from a "
            "shipped model may be left out.",
            "usage",
        )
    content = read_evaluation(evaluation)
    digests = {name: component.sha256 for name, component in description.components.items()}
    if content["model"]["sha256"] != digests:
        raise InputError(f"{evaluation} was measured with other weights than those in {model}.", "evaluation")
    facts = {name: run_facts(runs[name]) for name in PARTS if name in runs}
    described = replace(description, accuracy=figures(content))
    text = json.dumps(described.to_json(), indent=2, ensure_ascii=False) + "\n"
    for name in content["figures"]:
        write_atomic(model / name, partial(shutil.copyfile, evaluation / "figures" / name))
    write_text_atomic(model / "model.json", text)
    for file, written in ((TABLES, tables_text), (CARD, card_text)):
        write_text_atomic(model / file, written(described, facts, content))
    return model / CARD


def read_evaluation(folder: Path) -> dict:
    """Return contents of an evaluation's JSON. InputError if the folder was not written by this version's ``evaluate``."""
    from midlineshift_training.evaluation.output import FIGURES, FORMAT
    from MidlineShiftLogic.errors import InputError
    from MidlineShiftLogic.text import parse_json

    try:
        content = parse_json((folder / "evaluation.json").read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"its format is {content['format']!r}, not {FORMAT!r}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder} was not written by evaluate ({error}).", "evaluation") from None
    missing = [name for name in content["figures"] if not (folder / FIGURES / name).is_file()]
    if missing:
        raise InputError(f"{folder} lacks its figure {missing[0]}; run evaluate again.", "evaluation")
    return content
