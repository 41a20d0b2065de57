"""The notebook of the documentation runs from its first cell to its last, at a tiny size."""

import json
from pathlib import Path

import matplotlib
import pytest

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


@pytest.mark.slow
def test_the_notebook_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("MIDLINESHIFT_NOTEBOOK_FOLDER", str(tmp_path / "notebook"))
    monkeypatch.setenv("MIDLINESHIFT_NOTEBOOK_CASES", "8")
    monkeypatch.setenv("MIDLINESHIFT_NOTEBOOK_STEPS", "2")
    matplotlib.use("Agg", force=True)
    names = {"__name__": "__main__"}
    for number, source in enumerate(cells("code")):
        exec(compile(source, f"cell {number}", "exec"), names)
    folder = tmp_path / "notebook"
    model = json.loads((folder / "my-model" / "model.json").read_text(encoding="utf-8"))
    assert "phantoms of Phantoms of the notebook" in model["trained_on"] and "midlineshift" in model["trained_on"]
    assert (folder / "evaluation" / "table.md").is_file()
    assert len(names["overlays"]) == 1 and names["plt"].get_fignums()
    names["plt"].close("all")
