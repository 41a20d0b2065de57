"""The notebook of the documentation runs from its first cell to its last, at a tiny size."""

import json
import subprocess
import sys
from pathlib import Path

import matplotlib
import pytest
from click.testing import CliRunner

from midlineshift_training.cli.main import main as train_main
from MidlineShiftLogic.cli.main import cli

NOTEBOOK = Path(__file__).parents[3] / "docs" / "how-to" / "train-on-your-scans.ipynb"


def cells(kind):
    content = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in content["cells"] if cell["cell_type"] == kind]


def test_the_notebook_has_no_results_in_it():
    content = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert (content["nbformat"], content["nbformat_minor"]) == (4, 5)
    assert all(
        not cell["outputs"] and cell["execution_count"] is None for cell in content["cells"] if "outputs" in cell
    )
    assert "not a medical device" in cells("markdown")[0]


@pytest.fixture
def commands_in_process(monkeypatch):
    """Run ``python -m PACKAGE ...`` of the notebook in this process: six starts of torch and Lightning are most of it."""
    programs = {"midlineshift_training.cli.main": train_main, "MidlineShiftLogic": cli}
    usual, called = subprocess.run, []

    def run(words, **options):
        if list(words[:2]) != [sys.executable, "-m"]:
            return usual(words, **options)
        package, command, *arguments = words[2:]
        called.append(command)
        smaller = ["--set", "batch=2", "--set", "validation_batches=1", "--set", "check_every=2"]
        result = CliRunner().invoke(programs[package], [command, *arguments, *smaller * (command == "deformation")])
        return subprocess.CompletedProcess(words, result.exit_code, result.stdout, result.stderr)

    monkeypatch.setattr(subprocess, "run", run)
    return called


@pytest.mark.slow
def test_the_notebook_runs(tmp_path, monkeypatch, commands_in_process):
    monkeypatch.setenv("MIDLINESHIFT_NOTEBOOK_FOLDER", str(tmp_path / "notebook"))
    monkeypatch.setenv("MIDLINESHIFT_NOTEBOOK_CASES", "4")
    monkeypatch.setenv("MIDLINESHIFT_NOTEBOOK_STEPS", "2")
    matplotlib.use("Agg", force=True)
    names = {"__name__": "__main__"}
    for number, source in enumerate(cells("code")):
        exec(compile(source, f"cell {number}", "exec"), names)
    folder = tmp_path / "notebook"
    assert commands_in_process == ["phantoms", "convert", "deformation", "export", "evaluate", "measure"]
    model = json.loads((folder / "my-model" / "model.json").read_text(encoding="utf-8"))
    assert "phantoms of Phantoms of the notebook" in model["trained_on"] and "midlineshift" in model["trained_on"]
    assert (folder / "evaluation" / "table.md").is_file()
    assert len(names["overlays"]) == 1 and names["plt"].get_fignums()
    names["plt"].close("all")
