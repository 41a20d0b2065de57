"""Pictures of an evaluation's numbers. No scan of a patient is in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from midlineshift_training.evaluation.groups import size_group, size_groups
from midlineshift_training.evaluation.jobs import CASE_SIZES, LABELLED, PHANTOMS, READINGS, SIZES, ModelResult
from midlineshift_training.evaluation.robustness import SMALL_MM

DPI, WIDTH, HEIGHT = 90, 5.2, 4.2
COLOURS = {
    PHANTOMS: "tab:blue",
    READINGS: "tab:orange",
    LABELLED: "tab:green",
    SIZES: "tab:olive",
    CASE_SIZES: "tab:purple",
}
"""Of every set that has a truth; red marks intervals that miss it."""
GREY = "0.55"


def _figure(width: float = WIDTH, height: float = HEIGHT):
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _save(figure: Figure, path: Path) -> Path:
    # nothing of the machine or the time, so that the same numbers give the same file
    figure.savefig(path, dpi=DPI, metadata={"Software": None})
    return path


def _of_sets(results: list[ModelResult]) -> dict[str, np.ndarray]:
    """Return, by set, (2, n) truth and measured mm of the cases that have both."""
    found = {}
    for name in COLOURS:
        pairs = [(r.truth_mm, r.measured_mm) for r in results if r.set == name and r.measured_mm is not None]
        if pairs:
            found[name] = np.array(pairs).T
    return found


def scatter(results: list[ModelResult], path: Path) -> Path:
    """Draw measured against true shift, with the line on which they agree."""
    figure, axes = _figure()
    sets = _of_sets(results)
    reach = 1.05 * max(np.abs(pairs).max() for pairs in sets.values())
    axes.plot([-reach, reach], [-reach, reach], color=GREY, linewidth=1)
    for name, (truth, measured) in sets.items():
        axes.plot(truth, measured, "o", markersize=3.5, alpha=0.7, color=COLOURS[name], label=f"{name} ({len(truth)})")
    axes.set(xlabel="truth or readers, mm (left positive)", ylabel="measured, mm", aspect="equal")
    axes.legend(frameon=False)
    return _save(figure, path)


def bland_altman(results: list[ModelResult], evaluation: dict, path: Path) -> Path:
    """Draw difference against mean, with bias and limits of agreement of each set (Bland and Altman 1986)."""
    figure, axes = _figure()
    for name, (truth, measured) in _of_sets(results).items():
        colour, numbers = COLOURS[name], evaluation["sets"][name]
        axes.plot((truth + measured) / 2, measured - truth, "o", markersize=3.5, alpha=0.7, color=colour, label=name)
        axes.axhline(numbers["bias"]["value"], color=colour, linewidth=1.2)
        for end in numbers.get("limits", {}).values():
            axes.axhline(end["value"], color=colour, linewidth=1, linestyle="--")
    axes.set(xlabel="mean of measured and true, mm", ylabel="measured - true, mm")
    axes.legend(frameon=False)
    return _save(figure, path)


def error_by_size(results: list[ModelResult], path: Path) -> Path:
    """Draw absolute errors over the size of the shift, every case a point, the mean a bar."""
    figure, axes = _figure()
    sizes = size_groups()
    rng = np.random.default_rng(0)
    sets = _of_sets(results)
    width = 0.72 / max(2, len(sets))
    for number, (name, (truth, measured)) in enumerate(sets.items()):
        place = (number - (len(sets) - 1) / 2) * width
        group = np.array([sizes.index(size_group(value)) for value in truth])
        error = np.abs(measured - truth)
        x = group + place
        axes.plot(
            x + rng.uniform(-0.28, 0.28, len(x)) * width,
            error,
            "o",
            markersize=3,
            alpha=0.5,
            color=COLOURS[name],
            label=name,
        )
        for one in np.unique(group):
            mean = error[group == one].mean()
            axes.plot(one + place + 0.42 * width * np.array([-1, 1]), [mean, mean], color="black", linewidth=1.6)
    axes.set_xticks(range(len(sizes)), sizes, fontsize=8)
    axes.set(xlabel="size of the shift", ylabel="absolute error, mm")
    axes.legend(frameon=False)
    return _save(figure, path)


def known_shifts(warps: list[dict], evaluation: dict, path: Path) -> Path:
    """Change of the measured shift over the shift that was warped in, with the line on which they agree."""
    figure, axes = _figure()
    done = np.array([(row["amplitude_mm"], row["change_mm"]) for row in warps if row["change_mm"] is not None])
    axes.plot([-16, 16], [-16, 16], color=GREY, linewidth=1)
    axes.plot(*done.T, "o", markersize=3.5, alpha=0.7, color="tab:green")
    axes.set(
        xlabel="shift warped into the scan, mm (left positive)",
        ylabel="change of the measured shift, mm",
        aspect="equal",
    )
    axes.set_title(f"slope {evaluation['known_shifts']['slope']['value']:.3f}", fontsize=10)
    return _save(figure, path)


def robustness(changes: list[dict], path: Path) -> Path:
    """Draw changes of the measured shift per alteration; how many were refused."""
    names = list(dict.fromkeys(row["alteration"] for row in changes))
    figure, axes = _figure(6.4, 0.34 * len(names) + 1.2)
    axes.axvspan(-SMALL_MM, SMALL_MM, color="0.92")
    rng = np.random.default_rng(0)
    labels = []
    for y, name in enumerate(names):
        mine = [row["change_mm"] for row in changes if row["alteration"] == name]
        values = np.array([value for value in mine if value is not None])
        axes.plot(values, y + rng.uniform(-0.22, 0.22, len(values)), "o", markersize=3, alpha=0.6, color="tab:blue")
        refused = len(mine) - len(values)
        labels.append(name + (f" ({refused} refused)" if refused else ""))
    axes.set_yticks(range(len(names)), labels, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("change of the measured shift, mm")
    return _save(figure, path)


def interval_coverage(results: list[ModelResult], path: Path) -> Path:
    """Draw intervals about the truth, sorted by it; those that miss it are red."""
    figure, axes = _figure(6.4, HEIGHT)
    given = [
        (r.truth_mm, r.interval_mm, r.set) for r in results if r.interval_mm is not None and r.truth_mm is not None
    ]
    given.sort(key=lambda entry: entry[0])
    for x, (truth, (low, high), name) in enumerate(given):
        inside = low <= truth <= high
        axes.plot([x, x], [low - truth, high - truth], color=COLOURS[name] if inside else "tab:red", linewidth=1.2)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set(xlabel="cases, by their true shift", ylabel="90 % interval - truth, mm")
    return _save(figure, path)


def draw_figures(
    results: list[ModelResult], warps: list[dict], changes: list[dict], evaluation: dict, folder: Path
) -> dict[str, str]:
    """Draw every figure for which there are numbers, as PNG in ``folder``.

    Args:
        results: of this model.

    Returns:
        File name -> caption.
    """
    made = {}
    if _of_sets(results):
        made[scatter(results, folder / "scatter.png").name] = "Measured shift against truth or readers."
        made[bland_altman(results, evaluation, folder / "bland_altman.png").name] = (
            "Bland-Altman: difference against mean; bias solid, limits of agreement dashed."
        )
        made[error_by_size(results, folder / "error_by_size.png").name] = (
            "Absolute error by size of the shift; bars: means."
        )
    if "slope" in evaluation.get("known_shifts", {}):
        made[known_shifts(warps, evaluation, folder / "known_shifts.png").name] = (
            "Known shifts warped into real scans: change of the measured shift over the shift."
        )
    if changes:
        made[robustness(changes, folder / "robustness.png").name] = (
            "Change of the measured shift of the same scan, altered; grey: 1 mm at most."
        )
    if any(r.interval_mm is not None and r.truth_mm is not None for r in results):
        made[interval_coverage(results, folder / "intervals.png").name] = (
            "90 % intervals about the truth; red: the truth is outside."
        )
    return made
