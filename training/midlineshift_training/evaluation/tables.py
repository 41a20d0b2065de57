"""The numbers of ``evaluation.json`` as Markdown tables, one function a table."""

from __future__ import annotations

from midlineshift_training.evaluation.agreement import THRESHOLDS_MM
from midlineshift_training.evaluation.case_tables import F1_THRESHOLDS_MM, READS_THRESHOLDS_MM
from midlineshift_training.evaluation.jobs import CASE_SIZES, THIS_MODEL
from midlineshift_training.evaluation.markdown import NONE, count, markdown, number

READERS = "reader against reader"
AGREEMENT = ("n", "refused", "MAE mm (95 %)", "RMSE mm", "bias mm", "limits of agreement mm", "ICC(2,1)", "slope",
             "right side, 3 mm and more", "median measured mm", "largest mm")  # fmt: skip


def _limits(numbers: dict) -> str:
    if "limits" not in numbers:
        return NONE
    return " to ".join(number(numbers["limits"][end], 2, False) for end in ("low", "high"))


def _agreement(numbers: dict) -> list[str]:
    """Return cells of ``AGREEMENT``."""
    return [
        numbers.get("cases", numbers.get("n", 0)),
        numbers.get("refused", NONE),
        number(numbers.get("mae")),
        number(numbers.get("rmse")),
        number(numbers.get("bias")),
        _limits(numbers),
        number(numbers.get("icc"), 3),
        number(numbers.get("slope")),
        count(numbers.get("side")),
        number(numbers.get("median_reading")),
        f"{numbers['largest_reading']:.1f}" if "largest_reading" in numbers else NONE,
    ]


def sets_table(evaluation: dict) -> str:
    """Return agreement of this model on every set, and on what training saw of it and what not."""
    rows = []
    for name, numbers in evaluation["sets"].items():
        rows.append([name, *_agreement(numbers)])
        rows += [[f"{name}, {part}", *_agreement(found)] for part, found in numbers["by"].get("training", {}).items()]
    if "readers" in evaluation:
        rows.append([READERS, *_agreement(evaluation["readers"])])
    return markdown(["set", *AGREEMENT], rows)


def slices_table(evaluation: dict) -> str | None:
    """Return agreement slice by slice; None where no slice has a truth."""
    rows = []
    for name, numbers in evaluation["sets"].items():
        methods = {name: numbers} | {f"{name}: {m}": one for m, one in evaluation["baselines"].get(name, {}).items()}
        for method, one in methods.items():
            found = one.get("slices")
            if found:
                cells = _agreement(found)
                rows.append([method, found["cases"], found["n"], found["unread"], *cells[2:8]])
    return markdown(["set", "cases", "slices", "not measured", *AGREEMENT[2:8]], rows) if rows else None


def detection_table(evaluation: dict) -> str | None:
    """Return sensitivity, specificity and area under the ROC curve of |shift|; None without a truth."""
    rows = []
    for name, numbers in evaluation["sets"].items():
        for threshold in THRESHOLDS_MM:
            found = numbers.get(f"at_{threshold:g}_mm")
            if found:
                cells = [count(found.get("sensitivity")), count(found.get("specificity")), number(found.get("auc"), 3)]
                rows.append([name, f"{threshold:g} mm", *cells])
    return markdown(["set", "threshold", "sensitivity", "specificity", "AUC"], rows) if rows else None


def groups_table(evaluation: dict) -> str | None:
    """Return errors by size of shift, lesion, age, surgery; None without a truth."""
    rows = []
    for name, numbers in evaluation["sets"].items():
        for by, groups in numbers["by"].items():
            for group, found in groups.items():
                if by != "training" and "mae" in found:
                    cells = [number(found["mae"]), number(found["magnitude_bias"]), count(found.get("side"), False)]
                    rows.append([name, by, group, found["cases"], found["refused"], *cells])
    header = ["set", "by", "group", "n", "refused", "MAE mm (95 %)", "bias of the size mm", "right side"]
    return markdown(header, rows) if rows else None


def baselines_table(evaluation: dict) -> str:
    """Return this model, compared models and simple methods on the same cases."""
    rows = []
    for name, methods in evaluation["baselines"].items():
        for method, numbers in {THIS_MODEL: evaluation["sets"][name], **methods}.items():
            at = numbers.get("at_5_mm", {})
            rows.append(
                [
                    name,
                    method,
                    number(numbers.get("mae")),
                    number(numbers.get("mae_more_than_this_model")),
                    number(numbers.get("bias")),
                    number(numbers.get("icc"), 3, False),
                    number(at.get("auc"), 3, False),
                    number(numbers.get("slices", {}).get("mae")),
                    number(numbers.get("median_reading")),
                    f"{numbers['largest_reading']:.1f}" if "largest_reading" in numbers else NONE,
                    count(numbers.get("at_least_3_mm"), False),
                ]
            )
        if name == "readings" and "readers" in evaluation:
            found = evaluation["readers"]
            cells = [number(found["mae"]), NONE, number(found["bias"]), number(found.get("icc"), 3, False)]
            rows.append([name, READERS, *cells, *[NONE] * 5])
    header = ["set", "method", "MAE mm (95 %)", "MAE more than this model, same cases", "bias mm", "ICC", "AUC 5 mm"]
    return markdown([*header, "slice MAE mm", "median measured mm", "largest mm", "3 mm and more"], rows)


def known_shifts_table(evaluation: dict) -> str | None:
    """Return how measured shifts follow those warped into real scans."""
    found = evaluation.get("known_shifts")
    if not found:
        return None
    cells = [
        found["cases"],
        found["warps"],
        found["refused"],
        *(number(found.get(k)) for k in ("slope", "mae", "bias")),
    ]
    header = [
        "scans",
        "shifts",
        "refused",
        "slope of measured on true (95 %)",
        "MAE mm",
        "bias toward the known side mm",
    ]
    return markdown(header, [cells])


def robustness_table(evaluation: dict) -> str | None:
    """Return changes of the measured shift of the same scan, altered."""
    found = evaluation.get("robustness")
    if not found:
        return None
    rows = []
    for name, entry in found["alterations"].items():
        sizes = [f"{entry[key]:.2f}" if key in entry else NONE for key in ("median", "p95", "largest")]
        refused = ", ".join(f"{code} {n}" for code, n in entry["codes"].items()) or "none"
        rows.append([name, entry["n"], refused, *sizes, count(entry["share"])])
    share = f"{100 * found['overall']['value']:.1f} %"
    if "low" in found["overall"]:
        share += f" ({100 * found['overall']['low']:.1f} to {100 * found['overall']['high']:.1f} %)"
    rows.append(["**all**", found["overall"]["of"], "", "", "", "", f"**{share}**"])
    return markdown(
        ["altered", "n", "refused", "median change mm", "95 % below", "largest", "1 mm at most, or refused"], rows
    )


def intervals_table(evaluation: dict) -> str | None:
    """Return coverage of the 90 % intervals and worth of P(> 5 mm); None if the model gives neither."""
    rows = []
    for name, numbers in evaluation["sets"].items():
        interval, probable = numbers.get("intervals"), numbers.get("probability")
        if interval or probable:
            cells = [count(interval["coverage"]), number(interval["width"])] if interval else [NONE, NONE]
            cells += [number(probable.get("auc"), 3), number(probable["brier"], 3)] if probable else [NONE, NONE]
            rows.append([name, *cells])
    header = ["set", "truth inside the 90 % interval", "mean width mm", "AUC of P(> 5 mm)", "Brier score of P(> 5 mm)"]
    return markdown(header, rows) if rows else None


def refusals_table(evaluation: dict) -> str | None:
    """Return why cases were refused; None if none was."""
    rows = [
        [name, numbers["refused"], ", ".join(f"{code} {n}" for code, n in numbers["codes"].items())]
        for name, numbers in evaluation["sets"].items()
        if numbers["refused"]
    ]
    return markdown(["set", "refused", "reasons"], rows) if rows else None


def sizes_table(evaluation: dict) -> str | None:
    """Return errors against a table of sizes, and F1 scores; None without such a table."""
    numbers = evaluation["sets"].get(CASE_SIZES)
    if not numbers or "f1" not in numbers:
        return None
    scores = [number(numbers["f1"].get(f"at_{mm:g}_mm")) for mm in F1_THRESHOLDS_MM]
    header = ["n", "refused", "MAE mm (95 %)", *(f"F1 at {mm:g} mm" for mm in F1_THRESHOLDS_MM)]
    return markdown(header, [[numbers["cases"], numbers["refused"], number(numbers["mae"]), *scores]])


def reads_table(evaluation: dict) -> str | None:
    """Return measured shifts against radiologists' yes or no; None without reads."""
    found = evaluation.get("reads")
    if not found:
        return None
    rows = []
    for mm in READS_THRESHOLDS_MM:
        at = found[f"at_{mm:g}_mm"]
        cells = [found["n"], found["refused"], found["positive"], count(found["unanimous"], False)]
        rows.append(
            [
                *cells,
                f"{mm:g} mm",
                count(at.get("sensitivity")),
                count(at.get("specificity")),
                number(found.get("auc"), 3),
            ]
        )
    return markdown(["n", "refused", "with shift", "unanimous", "threshold", "sensitivity", "specificity", "AUC"], rows)


def targets_table(evaluation: dict) -> str | None:
    """Return every target: wanted, measured, met or not; None if none was given."""
    if not evaluation.get("targets"):
        return None
    said = {True: "met", False: "**missed**", None: "not measured"}
    rows = []
    for t in evaluation["targets"]:
        value = NONE if t["measured"] is None else f"{t['measured']:.3g}"
        rows.append([t["set"], t["what"], t["wanted"], value, said[t["met"]]])
    return markdown(["set", "what", "wanted", "measured", ""], rows)
