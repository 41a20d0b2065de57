"""Tables of the model card, and the accuracy that ``model.json`` carries, from what was measured."""

from __future__ import annotations

from midlineshift_training.evaluation.markdown import NONE, count, markdown, number
from midlineshift_training.evaluation.tables import READERS

WHAT = {
    "pose": "pose network: the head's midsagittal plane",
    "denoiser": "denoiser of all and of unshifted slices",
    "unconditional": "denoiser of all slices",
    "conditional": "denoiser of unshifted slices",
    "deformation": "deformation network with falx attachments",
    "refinement": "refinement network: looks again along the midline",
}
# A group is named as a weak place if it has at least so many cases.
MIN_GROUP = 5


def summary_table(evaluation: dict) -> str:
    """Return markdown table of the few numbers that say how good the model is, one row a set."""
    rows = [[name, *_summary(numbers)] for name, numbers in evaluation["sets"].items()]
    if "readers" in evaluation:
        rows.append([READERS, *_summary(evaluation["readers"])])
    header = ["set", "cases", "mean absolute error, mm (95 %)", "bias, mm", "right side, 3 mm and more"]
    return markdown([*header, "truth inside the 90 % interval"], rows)


def _summary(numbers: dict) -> list[str]:
    error = number(numbers.get("mae"))
    if error == NONE and "median_reading" in numbers:
        error = f"median measured: {number(numbers['median_reading'], 2, False)}"
    return [
        str(numbers.get("cases", numbers.get("n", 0))),
        error,
        number(numbers.get("bias"), 2, False),
        count(numbers.get("side"), False),
        count(numbers.get("intervals", {}).get("coverage"), False),
    ]


def figures(evaluation: dict) -> dict:
    """Return the few figures of each evaluated set that ``model.json`` carries for people."""
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
    slope = evaluation.get("known_shifts", {}).get("slope")
    if _known(slope):
        result["known shifts"] = {"slope": round(slope["value"], 3)}
    if "robustness" in evaluation:
        result["altered scans"] = {"within_1_mm_or_refused": round(evaluation["robustness"]["overall"]["value"], 3)}
    return result


def _known(entry: dict | None) -> bool:
    return entry is not None and entry["value"] is not None


def networks_table(facts: dict[str, dict]) -> str:
    """Return markdown table of the networks and how each was trained.

    Args:
        facts: component -> ``run_facts``.
    """
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


def worst_table(evaluation: dict, most: int | None = None) -> str:
    """Return markdown table of the cases that were measured farthest from the truth, the readers or zero.

    Args:
        evaluation: contents of ``evaluation.json``.
        most: rows at most; all if None.
    """
    rows = []
    for row in evaluation["worst"][:most]:
        truth = NONE if row["truth_mm"] is None else f"{row['truth_mm']:+.1f}"
        interval = NONE
        if row["interval_mm"]:
            interval = " to ".join(f"{end:+.1f}" for end in row["interval_mm"])
        rows.append([row["set"], row["case"], truth, f"{row['measured_mm']:+.1f}", interval, row["flags"] or "none"])
    return markdown(["set", "case", "truth or readers, mm", "measured, mm", "90 % interval", "warnings"], rows)


def weak_groups(evaluation: dict) -> list[str]:
    """Return groups whose error is surely larger than that of their whole set: the interval of their MAE is above it."""
    found = []
    for name, numbers in evaluation["sets"].items():
        for by, groups in numbers["by"].items():
            for group, values in groups.items():
                mae = values.get("mae")
                if mae and values["n"] >= MIN_GROUP and mae.get("low", 0.0) > numbers["mae"]["value"]:
                    found.append(f"{name}, {by} {group}: MAE {number(mae)} mm, {values['n']} cases")
    return found
