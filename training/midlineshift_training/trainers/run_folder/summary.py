"""Summarise a run on one page: its best check, curves, pictures, settings, data, time. Markdown, and HTML in one file."""

from __future__ import annotations

import base64
import html
import io
import json
import re
from pathlib import Path

from midlineshift_training.trainers.callbacks.figure_writer import FOLDER
from midlineshift_training.trainers.callbacks.progress_bar import duration
from midlineshift_training.trainers.callbacks.validation_table import best_row, read_validation_table
from midlineshift_training.trainers.callbacks.weight_averaging import SCORE
from midlineshift_training.trainers.run_folder.atomic_write import write_atomic, write_text_atomic
from midlineshift_training.trainers.run_folder.provenance import read_provenance
from midlineshift_training.trainers.settings.common import RunSettings
from midlineshift_training.trainers.settings.stored import load_run_settings

RESEARCH = "Research use only. Not a medical device."
CURVES = "curves.png"


def write_summary(run: Path) -> Path:
    """Write ``summary.md``, ``summary.html`` and ``curves.png`` into a run folder; older ones are replaced.

    Returns:
        Path of ``summary.html``.

    Raises:
        InputError: the folder is no run, or has had no check yet.
    """
    rows, settings = read_validation_table(run), load_run_settings(run)
    write_atomic(run / CURVES, lambda path: path.write_bytes(draw_curves(rows)))
    text = summary_text(run, rows, settings)
    write_text_atomic(run / "summary.md", text)
    page = _page(run, text)
    write_text_atomic(run / "summary.html", page)
    return run / "summary.html"


def summary_text(run: Path, rows: list[dict[str, float]], settings: RunSettings) -> str:
    """Return the page as Markdown; pictures are named relative to the run folder."""
    best, last = best_row(rows), rows[-1]
    provenance = read_provenance(run)
    sessions = provenance.get("sessions", [])
    steps = f"{last['step']:.0f} of {settings.max_steps}"
    facts = [
        ("best check", f"score {best[SCORE]:.4g} at step {best['step']:.0f} (`best.safetensors`)"),
        *((name.partition("/")[2], f"{value:.4g} mm") for name, value in best.items() if name.endswith("_mm")),
        ("steps", steps + ("" if last["step"] >= settings.max_steps else ", ended earlier")),
        ("time", f"{duration(last['seconds'])} of training in {len(sessions) or 1} start(s)"),
        ("slices a step", settings.batch * (settings.microbatches or 1)),
    ]
    pictures = sorted((run / FOLDER).glob("*.png"))
    parts = [
        f"# Run {run.resolve().name}",
        RESEARCH,
        _table(("", ""), facts),
        "## Curves",
        f"![Curves of the training and validation figures]({CURVES})",
        *(["## What it does with fixed cases (latest)"] if pictures else []),
        *(f"![{path.stem}]({FOLDER}/{path.name})" for path in pictures),
        "## Checks",
        _table(_columns(rows), [[_short(row.get(name)) for name in _columns(rows)] for row in rows]),
        "## Data",
        _table(
            ("path", "files", "bytes", "SHA-256"),
            [(d["path"], d["files"], d["bytes"], d["sha256"]) for d in provenance.get("data", [])],
        ),
        "## Made with",
        _table(("started", "from step", "processes", "device", "git", "packages"), map(_session, sessions)),
        "## Settings",
        _table(
            ("setting", "value"),
            [(name, json.dumps(value)) for name, value in settings.model_dump(mode="json").items()],
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _columns(rows: list[dict[str, float]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _session(session: dict) -> tuple:
    git = session.get("git")
    revision = "-" if not git else git["revision"][:12] + (" (changed)" if git["changed"] else "")
    packages = ", ".join(f"{name} {version}" for name, version in session["packages"].items())
    return session["started"], session["step"], session["processes"], session["device"], revision, packages


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}" if value != int(value) else f"{value:.0f}"


def _table(head, rows) -> str:
    lines = [[str(cell).replace("|", "\\|") for cell in row] for row in [head, *rows]]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def draw_curves(rows: list[dict[str, float]]) -> bytes:
    """Return PNG with a panel for the loss and score, one for the loss terms, one for errors in mm if there are any."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = _columns(rows)
    errors = [name for name in names if name.endswith("_mm")]
    whole = [name for name in ("train/total", SCORE) if name in names]
    terms = [name for name in names if name.startswith("train/") and name not in whole]
    panels = [
        ("loss and score", whole, True),
        ("training terms", terms, True),
        ("validation error (mm)", errors, False),
    ]
    panels = [panel for panel in panels if panel[1]]
    figure = Figure(figsize=(5 * len(panels), 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (title, shown, log) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for name in shown:
            points = [(row["step"], row[name]) for row in rows if name in row]
            style = "o-" if len(points) < 40 else "-"
            axes.plot(*zip(*points, strict=True), style, markersize=3, linewidth=1.2, label=name)
        if log and all(row.get(name, 1) > 0 for row in rows for name in shown):
            axes.set_yscale("log")
        if not log:
            axes.set_ylim(bottom=0)
        axes.axvline(best_row(rows)["step"], color="0.7", linewidth=0.8, zorder=0)
        axes.set(title=title, xlabel="step")
        axes.grid(alpha=0.2)
        axes.legend(fontsize=7)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110)
    return stream.getvalue()


STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:75em;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse;display:block;overflow-x:auto;font-size:13px;margin:1em 0}
td,th{border:1px solid #ddd;padding:.25em .6em;text-align:left}img{max-width:100%}"""


def _page(run: Path, text: str) -> str:
    import markdown

    body = markdown.markdown(html.escape(text, quote=False), extensions=["tables"])
    body = re.sub(r'src="([^"]+\.png)"', lambda match: f'src="{_embedded(run / match[1])}"', body)
    title = html.escape(f"Run {run.resolve().name}")
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )


def _embedded(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
