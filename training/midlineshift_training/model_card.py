"""``midlineshift-train card``: the model's README and the accuracy in ``model.json``, from what was measured.

Nothing in the card is typed in: training facts come from the runs' settings, figures from ``evaluate``'s JSON.
"""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import click

PARTS = ("pose", "unconditional", "conditional", "deformation")
WARNING = """\
**Research use only. Not a medical device.** Not for diagnosis, triage or treatment. A reader has to look at the
picture before believing the number."""
SOURCES = """\
The phantoms come from `midlineshift-train phantoms`; the notices of the brain templates they derive from are in
`training/midlineshift_training/phantoms/NOTICE`. Real scans were used for nothing but the measuring below and the choice
of read-out parameters."""
LEGEND = """\
MAE, bias and ICC are of the signed case shift (positive toward the patient's left); intervals are 95 % bootstrap over
cases. *readings*: real scans (CT-ICH, Hssayeni et al. 2020), mean of two non-radiologist readers, in millimetres at an
estimated pixel size that is good to about 10 % a patient. *phantoms*: seeds that training never saw, from the same two
brain templates. *no reading*: real scans without haemorrhage, which should read
near zero."""
WORST = 5
NOT_TRIED = """\
Not tried, and not part of the training: contrast-enhanced CT, metal artefacts, motion. Shifts below about 2 mm are within the
error told above; their side means little."""
WHAT = {
    "pose": "pose network: where the head's mid-plane lies",
    "unconditional": "denoiser of all cases",
    "conditional": "denoiser of unshifted cases (those of the phantoms that shift less than 1.5 mm)",
    "deformation": "deformation network with falx attachments",
}


def best_step(run: Path) -> int:
    """Step of the check whose weights a run kept."""
    from safetensors import safe_open

    with safe_open(str(run / "best.safetensors"), "np") as weights:
        return int((weights.metadata() or {}).get("step", 0))


def earlier_steps(init: str | None) -> list[int]:
    """Steps of the runs whose weights a run started from, the latest first, as far back as their folders are found."""
    from midlineshift_training.stages.run_folder import run_settings

    steps = []
    while init:
        folder = Path(init) if Path(init).is_dir() else Path(init).parent
        if not (folder / "settings.yaml").exists():
            break
        steps.append(best_step(folder))
        init = run_settings(folder).get("init")
    return steps


def run_facts(run: Path) -> dict:
    """Size of a run's network, and what it was trained on and for how long."""
    from midlineshift_training.stages.run_folder import run_network, run_settings

    settings = run_settings(run)
    return {
        "cases": settings["cases"],
        "batch": settings["batch"],
        "steps": best_step(run),
        "earlier": earlier_steps(settings.get("init")),
        "seed": settings["seed"],
        "parameters": sum(p.numel() for p in run_network(run).parameters()),
        "versions": settings.get("versions", {}),
    }


def figures(summary: dict) -> dict:
    """The few figures of each evaluated set that ``model.json`` carries for people."""
    keep = ("cases", "n", "refused", "median_reading", "largest_reading", "slope", "side_right", "side_cases")
    result = {}
    for name, values in summary.items():
        short = {key: values[key] for key in keep if key in values}
        for key in ("mae", "bias", "icc"):
            if key in values:
                short[f"{key}_mm" if key != "icc" else key] = round(values[key]["value"], 3)
        result[name] = {k: round(v, 3) if isinstance(v, float) else v for k, v in short.items()}
    return result


def worst_cases(folder: Path) -> str:
    """Markdown table of the cases of an evaluation that were read farthest from the truth or the readers."""
    with open(folder / "cases.csv", newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["truth_mm"] and row["measured_mm"]]
    rows.sort(key=lambda row: -abs(float(row["measured_mm"]) - float(row["truth_mm"])))
    lines = ["| set | case | truth or readers, mm | measured, mm | warnings |", "|---|---|---|---|---|"]
    for row in rows[:WORST]:
        numbers = f"{float(row['truth_mm']):+.1f} | {float(row['measured_mm']):+.1f}"
        lines.append(f"| {row['set']} | {row['case']} | {numbers} | {row['flags'] or 'none'} |")
    return "\n".join(lines)


def card_text(description, facts: dict[str, dict], tables: dict[str, str], worst: str) -> str:
    """The card as Markdown.

    Args:
        description: ``ModelDescription``. facts: component -> ``run_facts``. tables: heading -> Markdown table.
        worst: Markdown table of the farthest readings.
    """
    lines = [
        f"# {description.name} {description.version}",
        "",
        WARNING,
        "",
        description.description,
        "",
        "## Trained on",
        "",
        f"{description.trained_on}. Licence of the weights: {description.licence}.",
        "",
        SOURCES,
        "",
        "| network | what it does | parameters | phantoms | steps x batch (after those of the runs it started from) | seed |",
        "|---|---|---|---|---|---|",
    ]
    for name, f in facts.items():
        size, steps = f"{f['parameters'] / 1e6:.2f} M", f"{f['steps']} x {f['batch']}"
        if f["earlier"]:
            steps += f", after {' and '.join(map(str, f['earlier']))}"
        lines.append(f"| {name} | {WHAT[name]} | {size} | {f['cases']} | {steps} | {f['seed']} |")
    versions = next(iter(facts.values()))["versions"]
    lines += [
        "",
        "Made with " + ", ".join(f"{k} {v}" for k, v in versions.items()) + ", on CPU.",
        "",
        "## Measured",
        "",
    ]
    for heading, text in tables.items():
        lines += [f"### {heading}", "", text, ""]
    lines += [LEGEND, "", "## Where it fails", "", "The farthest readings of this model:", "", worst, "", NOT_TRIED, ""]
    return "\n".join(lines)


@click.command()
@click.option("--model", required=True, type=click.Path(path_type=Path), help="Model folder to describe.")
@click.option("--run", "runs", multiple=True, required=True, help="component=run folder; once for every network.")
@click.option(
    "--evaluation",
    "evaluations",
    multiple=True,
    required=True,
    help="heading=folder written by evaluate; this model's first.",
)
def card(model: Path, runs: tuple[str, ...], evaluations: tuple[str, ...]) -> None:
    """Write README.md and the accuracy into a model folder, from its runs and its evaluations."""
    from midlineshift_training.stages.engine import write_atomic
    from MidlineShiftLogic.errors import InputError
    from MidlineShiftLogic.models.folder import read_description

    description = read_description(model)
    given = dict(item.split("=", 1) for item in runs)
    if set(given) != set(description.components):
        raise InputError(f"--run must name exactly the model's networks: {', '.join(description.components)}.", "usage")
    facts = {name: run_facts(Path(given[name])) for name in PARTS if name in given}
    tables, accuracy = {}, {}
    for heading, folder in (item.split("=", 1) for item in evaluations):
        try:
            content = json.loads((Path(folder) / "evaluation.json").read_text(encoding="utf-8"))
            tables[heading] = (Path(folder) / "table.md").read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise InputError(f"{folder} was not written by evaluate ({error}).", "evaluation") from None
        accuracy[heading] = figures(content["summary"])
    # the first evaluation is that of this model, further ones are for comparison
    worst = worst_cases(Path(evaluations[0].split("=", 1)[1]))
    described = replace(description, accuracy=accuracy)
    text = json.dumps(described.to_json(), indent=2, ensure_ascii=False) + "\n"
    write_atomic(model / "model.json", lambda path: path.write_text(text, encoding="utf-8"))
    write_atomic(
        model / "README.md", lambda path: path.write_text(card_text(described, facts, tables, worst), encoding="utf-8")
    )
    click.echo(model / "README.md")
