"""The figures as Markdown, and into a document between its markers."""

from __future__ import annotations

from pathlib import Path

from gpu import SKIPPED
from machine import sentence

START, END = "<!-- speed -->", "<!-- /speed -->"


def markdown(figures: dict) -> str:
    """The table of one run, with the machine named and what was not measured said."""
    lines = [f"Measured on {sentence(figures['machine'])}, device `{figures['device']}`."]
    if figures["machine"]["busy"]:
        load = figures["machine"]["load_before"]
        lines.append(
            f"**The machine was busy (load {load:.1f} before the start): times are too long, ratios are rough.**"
        )
    if figures["short"]:
        lines.append("**Short form: a small scan, one repetition, and the authors' denoiser on a smaller picture.**")
    lines += ["", f"Scan: {figures['scan']}.", ""]
    lines += ["| what | ours | authors' way | ratio |", "|---|---|---|---|"]
    flop, pair = figures["arithmetic"], figures["pair"]
    lines.append(
        f"| arithmetic of a case's networks, GFLOP | {flop['ours_gflop']:.0f} | {flop['authors_gflop']:.0f} "
        f"| {flop['ratio']:.0f} |"
    )
    how = "all run" if pair["authors_run_whole"] else f"one slice timed, times {pair['authors_slices']}"
    lines.append(
        f"| a case from arrays, warm (theirs: the networks alone, {how}), s | {pair['ours_s']:.2f} "
        f"| {pair['authors_s']:.0f} | {pair['ratio']:.0f} |"
    )
    lines += [
        "",
        "| whole process, from the command to the files | wall s | processor s | peak MB |",
        "|---|---|---|---|",
    ]
    for name, row in figures["processes"].items():
        lines.append(f"| {name} | {row['wall_s']:.2f} | {row['cpu_s']:.2f} | {_peak(row)} |")
    for row in figures["slices"]:
        lines.append(f"| {row['slices']} slices of the same head, NIfTI | {_three(row)}")
    for row in figures["cases"]:
        lines.append(f"| {row['cases']} case{'s' if row['cases'] > 1 else ''}, one after another | {_three(row)}")
    for row in figures["workers"]:
        lines.append(f"| {row['cases']} cases, `--workers {row['workers']}` | {_three(row)}")
    for row in figures["contention"]:
        lines.append(
            f"| beside {row['busy']} busy process{'' if row['busy'] == 1 else 'es'}, {row['waiting']} threads | {_three(row)}"
        )
    lines += ["", _gpu(figures["gpu"]), ""]
    lines += [
        f"{figures['repeats']} repetitions in turn, medians. Made by `python Testing/benchmarks/run.py --document`."
    ]
    return "\n".join(lines)


def _three(row: dict) -> str:
    return f"{row['wall_s']:.1f} | {row['cpu_s']:.1f} | {_peak(row)} |"


def _gpu(row: dict | None) -> str:
    if row is None:
        return SKIPPED
    return (
        f"GPU: a warm case from arrays {1000 * row['case_s']:.0f} ms, of it pose and networks "
        f"{1000 * row['networks_s']:.0f} ms in {row['peak_mb']} MB; their floor, bound by {row['bound_by']}, is "
        f"{1000 * row['floor_s']:.2f} ms ({row['gflop']:.0f} GFLOP at {row['tflop_per_s']} TFLOP/s measured, "
        f"{row['moved_mb']:.0f} MB at {row['gb_per_s']} GB/s measured), reached to {100 * row['share_of_floor']:.1f} %."
    )


def put_into(document: Path, text: str) -> None:
    """Replace what stands between the markers; ValueError where the document does not have them once each."""
    content = document.read_text(encoding="utf-8")
    if content.count(START) != 1 or content.count(END) != 1:
        raise ValueError(f"{document} needs the lines {START} and {END} once each")
    before, rest = content.split(START)
    _, after = rest.split(END)
    document.write_text(f"{before}{START}\n{text}\n{END}{after}", encoding="utf-8")


def _peak(row: dict) -> str:
    return f"{row['peak_mb']:.0f}" if row["peak_mb"] else ""
