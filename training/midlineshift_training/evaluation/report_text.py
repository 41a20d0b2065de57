"""The whole of an evaluation in Markdown, and its few most important numbers."""

from __future__ import annotations

from midlineshift_training.evaluation import tables
from midlineshift_training.evaluation.markdown import NONE, count, markdown, number
from midlineshift_training.evaluation.summary import UNSHIFTED_MM
from midlineshift_training.evaluation.tables import READERS

RESEARCH = "Research use only. Not a medical device."
SECTIONS = (
    ("Agreement, case by case", tables.sets_table),
    ("Agreement, slice by slice", tables.slices_table),
    ("Detecting shifts", tables.detection_table),
    ("Against a table of sizes", tables.sizes_table),
    ("Against radiologists' yes or no", tables.reads_table),
    ("Compared on the same cases", tables.baselines_table),
    ("Known shifts warped into real scans", tables.known_shifts_table),
    ("The same scan, altered", tables.robustness_table),
    ("Intervals and probabilities", tables.intervals_table),
    ("By group", tables.groups_table),
    ("Refused", tables.refusals_table),
    ("Targets", tables.targets_table),
)


def legend(evaluation: dict) -> str:
    """Explain the words of the tables."""
    crossed = ""
    if evaluation.get("folds"):
        crossed = f"""\
Cross-validated: real scans were measured by {len(evaluation["folds"])} networks trained as this one, each without the
patients that it measured; phantoms by this model itself."""
    return f"""\
Millimetres of the signed shift, positive toward the patient's left. In brackets: 95 % intervals, bootstrap over cases;
of shares of cases, exact. *phantoms*: seeds that training never saw. *readings*: real scans against the mean of their
readers. *no reading*: scans that nobody measured; known shifts are warped into these, as into unshifted ones. *Sizes*
have no side and are held against |shift|. Limits of agreement: bias -+ 1.96 standard deviations. Bias of the size: of
|shift|. *Largest displacement*: the way of Gong et al. (2023) on the same fields, which gives no side and is held against
|shift|, as is *always zero*. Unshifted: below {UNSHIFTED_MM:g} mm.
{crossed}""".rstrip()


def full_text(evaluation: dict, level: int = 2) -> str:
    """Return all tables with their headings, ``level`` deep."""
    parts = []
    for heading, table in SECTIONS:
        text = table(evaluation)
        if text:
            parts += [f"{'#' * level} {heading}", text]
    return "\n\n".join([*parts, legend(evaluation)]) + "\n"


def short_text(evaluation: dict) -> str:
    """Return the few numbers that say how good the model is: a table and three sentences."""
    rows = []
    for name, numbers in evaluation["sets"].items():
        rows.append([name, *_short(numbers)])
        rows += [[f"{name}: {method}", *_short(found)] for method, found in evaluation["baselines"][name].items()]
    if "readers" in evaluation:
        rows.append([READERS, *_short(evaluation["readers"])])
    header = ["set", "n", "refused", "MAE mm (95 %)", "bias", "ICC", "AUC 5 mm", "right side, 3 mm and more",
              "median, largest measured mm"]  # fmt: skip
    lines = []
    if "slope" in evaluation.get("known_shifts", {}):
        found = evaluation["known_shifts"]
        lines.append(
            f"Known shifts warped into {found['cases']} real scans are measured with a slope of {number(found['slope'])} and "
            f"a MAE of {number(found['mae'])} mm."
        )
    if "robustness" in evaluation:
        share = evaluation["robustness"]["overall"]
        lines.append(
            f"Turned, moved, mirrored, re-stored, noised, re-windowed, re-sliced or cut, {100 * share['value']:.1f} % of "
            f"{share['of']} measurements change by at most 1 mm or are refused."
        )
    for name, numbers in evaluation["sets"].items():
        if "intervals" in numbers:
            lines.append(f"The 90 % interval holds the truth in {count(numbers['intervals']['coverage'])} of {name}.")
    if evaluation.get("targets"):
        met = [t["met"] for t in evaluation["targets"] if t["met"] is not None]
        lines.append(f"Targets met: {sum(met)} of {len(met)} measured.")
    return markdown(header, rows) + "\n\n" + "\n".join(lines) + f"\n\n{RESEARCH}\n"


def _short(numbers: dict) -> list[str]:
    largest = f"{numbers['largest_reading']:.1f}" if "largest_reading" in numbers else NONE
    median = number(numbers.get("median_reading"), 2, False)
    return [
        numbers.get("cases", numbers.get("n", 0)),
        numbers.get("refused", NONE),
        number(numbers.get("mae")),
        number(numbers.get("bias"), 2, False),
        number(numbers.get("icc"), 3, False),
        number(numbers.get("at_5_mm", {}).get("auc"), 3, False),
        count(numbers.get("side"), False),
        f"{median}, {largest}",
    ]
