"""The model card: the model's README and the accuracy in ``model.json``, from what was measured.

No number in the card is typed in: training facts come from the runs' folders, figures from ``evaluate``'s folder.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

from midlineshift_training.evaluation.markdown import NONE, markdown, number
from midlineshift_training.evaluation.report_text import full_text

PARTS = ("pose", "unconditional", "conditional", "deformation")
WHAT = {
    "pose": "pose network: where the head's mid-plane lies",
    "unconditional": "denoiser of all cases",
    "conditional": "denoiser of unshifted cases",
    "deformation": "deformation network with falx attachments",
}
WARNING = """\
**Research use only. Not a medical device.** Not for diagnosis, triage or treatment. A reader has to look at the
picture before believing the number."""
SOURCES = """\
The phantoms are made by `midlineshift-train phantoms` from published brain templates; their notices are in
`training/midlineshift_training/datasets/phantoms/NOTICE`. The real scans are from CT-ICH 1.0.0 (Hssayeni et al., Data 2020;
PhysioNet; CC BY 4.0), trauma patients of all ages, published as 8-bit windows from which Hounsfield units were rebuilt,
at an estimated pixel size that is good to about 10 % a patient. Their readings are those of two readers who are no
radiologists, and were never trained on. No scan and no picture of a patient is in this folder."""
NOT_FOR = """\
- Any decision about a patient: diagnosis, triage, treatment, monitoring.
- Scans it was not measured on: contrast-enhanced CT, large metal artefacts, motion, MR.
- Shifts of the posterior fossa or at the vertex: the number describes the septum pellucidum.
- The side of shifts below about 2 mm: they are within the errors told above.
- Files whose pixel size is not certain: the millimetres are those of the file."""
# A group is told as a weak place if it has at least so many cases.
MIN_GROUP = 5


def best_step(run: Path) -> int:
    """Step of the check whose weights a run kept."""
    from safetensors import safe_open

    with safe_open(str(run / "best.safetensors"), "np") as weights:
        return int((weights.metadata() or {}).get("step", 0))


def earlier_runs(init: str | None) -> list[Path]:
    """Runs whose weights a run started from, the latest first, as far back as their folders are found."""
    from midlineshift_training.trainers.settings.stored import load_run_settings

    runs = []
    while init:
        folder = Path(init) if Path(init).is_dir() else Path(init).parent
        if not (folder / "settings.yaml").exists():
            break
        runs.append(folder)
        init = load_run_settings(folder).init
    return runs


def run_minutes(run: Path) -> float:
    """Minutes a run took, by the wall times of its TensorBoard events; every resumption has a file of its own."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    total = 0.0
    for path in sorted(run.glob("tensorboard/events.out.tfevents.*")):
        times = [event.wall_time for event in EventFileLoader(str(path)).Load()]
        total += max(times, default=0.0) - min(times, default=0.0)
    return total / 60


def run_facts(run: Path) -> dict:
    """Size of a run's network, and what it was trained on, how and for how long, earlier runs included."""
    from midlineshift_training.trainers.run_folder.finished_run import load_run_network
    from midlineshift_training.trainers.settings.stored import load_run_settings

    settings = load_run_settings(run)
    averaged = settings.averaged
    # runs that were averaged often started from one another
    earlier = list(
        dict.fromkeys(folder for start in (*averaged[::-1], settings.init) for folder in earlier_runs(start))
    )
    return {
        "cases": settings.cases,
        "batch": settings.batch,
        "steps": best_step(run),
        "averaged": len(averaged),
        "earlier": [best_step(folder) for folder in earlier],
        "minutes": sum(map(run_minutes, [run, *earlier])),
        "seed": settings.seed,
        "learning_rate": settings.learning_rate,
        "precision": settings.precision,
        "parameters": sum(p.numel() for p in load_run_network(run).parameters()),
        "versions": next(filter(None, map(_versions, [run, *earlier])), {}),
    }


def _versions(run: Path) -> dict[str, str]:
    """Of Python, torch and Lightning when the run was last started; empty where the run does not tell."""
    from midlineshift_training.trainers.run_folder.provenance import read_provenance

    sessions = read_provenance(run).get("sessions", [])
    if not sessions:
        return {}
    packages = sessions[-1]["packages"]
    return {"python": sessions[-1]["python"], "torch": packages["torch"], "lightning": packages["lightning"]}


def figures(evaluation: dict) -> dict:
    """The few figures of each evaluated set that ``model.json`` carries for people."""
    names = {"mae": "mae_mm", "bias": "bias_mm", "icc": "icc", "slope": "slope", "median_reading": "median_reading_mm"}
    result = {}
    for name, values in evaluation["sets"].items():
        short = {key: values[key] for key in ("cases", "refused")}
        short |= {called: round(values[key]["value"], 3) for key, called in names.items() if _known(values.get(key))}
        if "largest_reading" in values:
            short["largest_reading_mm"] = round(values["largest_reading"], 3)
        if "intervals" in values:
            short["coverage_of_90"] = round(values["intervals"]["coverage"]["value"], 3)
        result[name] = short
    if _known(evaluation.get("known_shifts", {}).get("slope")):
        result["known shifts"] = {"slope": round(evaluation["known_shifts"]["slope"]["value"], 3)}
    if "robustness" in evaluation:
        result["altered scans"] = {"within_1_mm_or_refused": round(evaluation["robustness"]["overall"]["value"], 3)}
    return result


def _known(entry: dict | None) -> bool:
    return bool(entry) and entry["value"] is not None


def networks_table(facts: dict[str, dict]) -> str:
    """Markdown table of the networks and how each was trained."""
    rows = []
    for name, f in facts.items():
        steps = f"{f['steps']} x {f['batch']}"
        if f["averaged"]:
            steps = f"mean of the weights of {f['averaged']} runs x {f['batch']}"
        if f["earlier"]:
            steps += f", after {' and '.join(map(str, f['earlier']))}"
        how = [f"{f['parameters'] / 1e6:.2f} M", f["cases"], steps, f["learning_rate"] or NONE, f["precision"] or NONE]
        rows.append([name, WHAT[name], *how, f["seed"], f"{f['minutes']:.0f}" if f["minutes"] else NONE])
    header = [
        "network",
        "what it does",
        "parameters",
        "cases",
        "steps x batch (after those of the runs it started from)",
    ]
    return markdown([*header, "learning rate", "precision", "seed", "minutes"], rows)


def worst_table(evaluation: dict) -> str:
    """Markdown table of the cases that were read farthest from the truth, the readers or zero."""
    rows = []
    for row in evaluation["worst"]:
        truth = NONE if row["truth_mm"] is None else f"{row['truth_mm']:+.1f}"
        interval = NONE
        if row["interval_mm"]:
            interval = " to ".join(f"{end:+.1f}" for end in row["interval_mm"])
        rows.append([row["set"], row["case"], truth, f"{row['measured_mm']:+.1f}", interval, row["flags"] or "none"])
    return markdown(["set", "case", "truth or readers, mm", "measured, mm", "90 % interval", "warnings"], rows)


def weak_groups(evaluation: dict) -> list[str]:
    """Groups whose error is surely larger than that of their whole set: the interval of their MAE lies above it."""
    found = []
    for name, numbers in evaluation["sets"].items():
        for by, groups in numbers["by"].items():
            for group, values in groups.items():
                mae = values.get("mae")
                if mae and values["n"] >= MIN_GROUP and mae.get("low", 0.0) > numbers["mae"]["value"]:
                    found.append(f"{name}, {by} {group}: MAE {number(mae)} mm, {values['n']} cases")
    return found


def seen_text(evaluation: dict) -> str | None:
    """Which of the measured real scans training saw; None where nothing was told of it."""
    seen = evaluation.get("seen")
    if seen is None:
        return None
    if not seen:
        return "None of the real scans measured below was used in training."
    return f"Of the real scans measured below, training saw, without any reading: {', '.join(seen)}. No other."


def card_text(description, facts: dict[str, dict], evaluation: dict) -> str:
    """The card as Markdown.

    Args:
        description: ``ModelDescription``. facts: component -> ``run_facts``.
        evaluation: contents of ``evaluation.json``; its figures lie beside the card.
    """
    trained_on = description.trained_on.rstrip(".")
    pictures = evaluation.get("figures", {})
    worst = {name: caption for name, caption in pictures.items() if name.startswith("worst")}
    images = lambda some: [f"![{caption}]({name})\n\n{caption}" for name, caption in some.items()]  # noqa: E731
    versions = ", ".join(f"{name} {version}" for name, version in list(facts.values())[-1]["versions"].items())
    weak = weak_groups(evaluation)
    parts = [
        f"# {description.name} {description.version}",
        WARNING,
        description.description,
        "## Data",
        f"Trained on {trained_on}. Licence of the weights: {description.licence}.",
        SOURCES,
        seen_text(evaluation),
        "## Training",
        networks_table(facts),
        "Minutes are wall time of all runs told." + (f" Made with {versions}." if versions else ""),
        "## Measured",
        "By `midlineshift-train evaluate`; everything below is written from what it measured.",
        full_text(evaluation, 3).strip(),
        *images({name: caption for name, caption in pictures.items() if name not in worst}),
        "## Where it fails",
        "Groups with errors surely above those of their set:\n\n" + "\n".join(f"- {line}" for line in weak)
        if weak
        else None,
        "The farthest readings:",
        worst_table(evaluation),
        *images(worst),
        "## What it must not be used for",
        NOT_FOR,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def write_card(model: Path, runs: dict[str, Path], evaluation: Path) -> Path:
    """Write README.md with its figures, and the accuracy, into a model folder.

    Args:
        model: model folder.
        runs: component name -> run folder, one for every network of the model.
        evaluation: folder that ``evaluate`` wrote for this model.

    Returns:
        Path of the README.

    Raises:
        InputError: a run is missing or too many, or the evaluation is of other weights.
    """
    from midlineshift_training.trainers.run_folder.atomic_write import write_atomic
    from MidlineShiftLogic.errors import InputError
    from MidlineShiftLogic.models.folder import read_description

    description = read_description(model)
    if set(runs) != set(description.components):
        raise InputError(f"--run must name exactly the model's networks: {', '.join(description.components)}.", "usage")
    content = read_evaluation(evaluation)
    digests = {name: component.sha256 for name, component in description.components.items()}
    if content["model"]["sha256"] != digests:
        raise InputError(f"{evaluation} was measured with other weights than those in {model}.", "evaluation")
    facts = {name: run_facts(runs[name]) for name in PARTS if name in runs}
    described = replace(description, accuracy=figures(content))
    text = json.dumps(described.to_json(), indent=2, ensure_ascii=False) + "\n"
    readme = card_text(described, facts, content)
    for name in content["figures"]:
        write_atomic(model / name, lambda path, name=name: shutil.copyfile(evaluation / "figures" / name, path))
    write_atomic(model / "model.json", lambda path: path.write_text(text, encoding="utf-8"))
    write_atomic(model / "README.md", lambda path: path.write_text(readme, encoding="utf-8"))
    return model / "README.md"


def read_evaluation(folder: Path) -> dict:
    """Contents of an evaluation's JSON. InputError if the folder was not written by this version's ``evaluate``."""
    from midlineshift_training.evaluation.output import FIGURES, FORMAT
    from MidlineShiftLogic.errors import InputError

    try:
        content = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"its format is {content['format']!r}, not {FORMAT!r}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder} was not written by evaluate ({error}).", "evaluation") from None
    missing = [name for name in content["figures"] if not (folder / FIGURES / name).is_file()]
    if missing:
        raise InputError(f"{folder} lacks its figure {missing[0]}; run evaluate again.", "evaluation")
    return content
