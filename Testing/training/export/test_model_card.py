"""The model card says what was measured, where it fails included, and nothing that was not."""

import json
import shutil
import time

import pytest
import yaml
from click.testing import CliRunner
from PIL import Image
from safetensors.torch import save_file
from small_networks import SMALL_DENOISER, awake
from torch.utils.tensorboard import SummaryWriter

from midlineshift_training.cli.main import main
from midlineshift_training.evaluation.jobs import PHANTOMS, READINGS, THIS_MODEL, CaseResult, ModelResult
from midlineshift_training.evaluation.output import FORMAT
from midlineshift_training.evaluation.run import sum_up
from midlineshift_training.export.card_tables import networks_table, weak_groups, worst_table
from midlineshift_training.export.model_card import seen_text
from midlineshift_training.export.run_facts import run_facts
from MidlineShiftLogic.models.description import ModelDescription
from MidlineShiftLogic.models.folder import read_description, save_model
from MidlineShiftLogic.models.registry import kind_of
from MidlineShiftLogic.networks.denoiser import Denoiser
from MidlineShiftLogic.networks.midline_unet import MidlineUNet


def reading(case, truth, value, in_set=PHANTOMS, **groups):
    return ModelResult(in_set, case, THIS_MODEL, truth, value, 5, "", "skull-open", 1.0, groups=groups)


def evaluation():
    """Forty phantoms, of which the infants are read 2 mm too far; five scans."""
    rows = [reading(f"{k:05d}", k / 3, k / 3 + 0.1 * (k % 3), age=("adult",)) for k in range(30)]
    rows += [reading(f"{k:05d}", k - 30.0, k - 28.0 + 0.01 * k, age=("infant",)) for k in range(30, 40)]
    rows += [reading(f"scan{k}", 2.0 * k, 2.0 * k - 0.7, READINGS) for k in range(5)]
    return sum_up([CaseResult((row,)) for row in rows], {}, 0)


def write_run(folder, network, init=None, seconds=0.0):
    folder.mkdir()
    settings = {"cases": 7, "batch": 24, "seed": 3, "learning_rate": 0.001, "precision": "32-true", "init": init}
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings))
    session = {"python": "3.12.1", "packages": {"torch": "2.13.0", "lightning": "2.6.6"}}
    (folder / "provenance.json").write_text(json.dumps({"data": [], "sessions": [session]}))
    (folder / "network.json").write_text(json.dumps({"kind": kind_of(network), "config": network.config}))
    save_file(network.state_dict(), folder / "best.safetensors", metadata={"step": "900"})
    with SummaryWriter(str(folder / "tensorboard")) as writer:
        started = time.time()
        writer.add_scalar("loss", 1.0, 0, walltime=started)
        writer.add_scalar("loss", 0.5, 9, walltime=started + seconds)
    return folder


def test_the_farthest_measurements_come_first():
    content = evaluation()
    lines = worst_table(content).splitlines()[2:]
    assert lines[0] == "| phantoms | 00039 | +9.0 | +11.4 | - | skull-open |"
    assert next(line for line in lines if "readings" in line).startswith("| readings | scan")


def test_groups_that_are_surely_worse_are_named():
    (line,) = weak_groups(evaluation())
    assert line.startswith("phantoms, age infant: MAE 2.3") and line.endswith("10 cases")


def test_what_training_saw_is_reported_only_where_it_is_known():
    assert seen_text({"seen": None}) is None
    assert "None of the real scans" in seen_text({"seen": []})
    assert "a, b. No other." in seen_text({"seen": ["a", "b"]})
    crossed = seen_text({"seen": ["a"], "folds": [{}, {}]})
    assert "trained on the real scans" in crossed and "2 networks" in crossed and "reading: a." in crossed


def test_facts_of_a_run_hold_those_of_the_runs_before(tmp_path):
    network = awake(MidlineUNet(features=(8, 8, 8, 8, 8), flow=False))
    first = write_run(tmp_path / "first", network, seconds=600.0)
    facts = run_facts(write_run(tmp_path / "second", network, str(first), seconds=120.0))
    assert facts["minutes"] == pytest.approx(12, abs=0.1)
    assert facts["earlier"] == [900] and facts["steps"] == 900 and facts["cases"] == 7


def test_facts_of_averaged_runs_hold_each_of_their_runs_once(tmp_path):
    network = awake(MidlineUNet(features=(8, 8, 8, 8, 8), flow=False))
    first = write_run(tmp_path / "first", network, seconds=600.0)
    second = write_run(tmp_path / "second", network, str(first), seconds=120.0)
    mean = write_run(tmp_path / "mean", network)
    settings = yaml.safe_load((mean / "settings.yaml").read_text()) | {"averaged": [str(first), str(second)]}
    (mean / "settings.yaml").write_text(yaml.safe_dump(settings))
    facts = run_facts(mean)
    assert facts["averaged"] == 2 and facts["earlier"] == [900, 900]
    assert facts["minutes"] == pytest.approx(12, abs=0.1)
    assert "mean of the weights of 2 runs x 24, after 900 and 900" in networks_table({"pose": facts})


@pytest.fixture
def model_and_evaluation(tmp_path):
    networks = {
        "pose": awake(MidlineUNet(features=(8, 8, 8, 8, 8), flow=False)),
        "conditional": awake(Denoiser(**SMALL_DENOISER)),
    }
    described = ModelDescription(
        name="tried", version="2", description="Made for a test.", licence="Apache-2.0", trained_on="nothing",
        frame={"grid": 128, "pixel_mm": 1.8, "length_mm": 198.0},
    )  # fmt: skip
    model = save_model(tmp_path / "model", described, networks)
    runs = {name: write_run(tmp_path / name, network) for name, network in networks.items()}
    digests = {name: component.sha256 for name, component in read_description(model).components.items()}
    folder = tmp_path / "evaluation"
    (folder / "figures").mkdir(parents=True)
    captions = {"scatter.png": "Measured against truth.", "worst_phantom_1.png": "Phantom 00039."}
    for name in captions:
        Image.new("L", (4, 4)).save(folder / "figures" / name)
    content = evaluation() | {"figures": captions, "model": {"name": "tried", "sha256": digests}, "seen": ["scan0"]}
    assert content["format"] == FORMAT
    (folder / "evaluation.json").write_text(json.dumps(content))
    return model, runs, folder


def card(model, runs, folder):
    places = [part for name, run in runs.items() for part in ("--run", f"{name}={run}")]
    return CliRunner().invoke(main, ["card", "--model", str(model), *places, "--evaluation", str(folder)])


def test_the_card_is_whole_and_short(model_and_evaluation):
    model, runs, folder = model_and_evaluation
    done = card(model, runs, folder)
    assert done.exit_code == 0, done.output
    text = (model / "README.md").read_text()
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings == [
        "## Accuracy", "## Data", "## Training", "## Where it fails", "## What it must not be used for",
    ]  # fmt: skip
    assert len(text.splitlines()) < 90  # two screens
    content = json.loads((folder / "evaluation.json").read_text())
    assert f"{content['sets'][PHANTOMS]['mae']['value']:.2f} (" in text
    assert "Not a medical device" in text and "[measured.md](measured.md)" in text
    assert "(scatter.png)" in text and (model / "scatter.png").is_file()
    accuracy = read_description(model).accuracy
    assert accuracy[PHANTOMS]["mae_mm"] == pytest.approx(content["sets"][PHANTOMS]["mae"]["value"], abs=1e-3)
    assert accuracy[READINGS]["bias_mm"] == pytest.approx(-0.7)


def test_a_network_of_a_shipped_model_needs_no_run(model_and_evaluation, tmp_path, monkeypatch):
    model, runs, folder = model_and_evaluation
    shutil.copytree(model, tmp_path / "shipped")
    name = sorted(runs)[-1]
    fewer = {one: run for one, run in runs.items() if one != name}
    assert card(model, fewer, folder).exit_code == 2, "not a shipped model's"
    monkeypatch.setattr("MidlineShiftLogic.models.locate.list_models", lambda: {"tried": tmp_path / "shipped"})
    done = card(model, fewer, folder)
    assert done.exit_code == 0, done.output
    assert f"The {name} network is that of tried 2." in (model / "README.md").read_text()


def test_every_table_and_figure_stands_behind_the_card(model_and_evaluation):
    model, runs, folder = model_and_evaluation
    assert card(model, runs, folder).exit_code == 0
    text = (model / "measured.md").read_text()
    assert "## Agreement, case by case" in text and "## Largest errors" in text
    assert "Trained with python 3.12.1, torch 2.13.0, lightning 2.6.6." in text
    assert "training saw, without any reading: scan0" in text
    for name in ("scatter.png", "worst_phantom_1.png"):
        assert f"({name})" in text and (model / name).is_file()


def test_an_evaluation_of_other_weights_or_without_its_figures_is_refused(model_and_evaluation):
    model, runs, folder = model_and_evaluation
    before = (model / "model.json").read_bytes()
    (folder / "figures" / "scatter.png").unlink()
    done = card(model, runs, folder)
    assert done.exit_code == 2 and "lacks its figure scatter.png" in done.output
    content = json.loads((folder / "evaluation.json").read_text())
    content["model"]["sha256"]["pose"] = "0" * 64
    (folder / "evaluation.json").write_text(json.dumps(content | {"figures": {}}))
    done = card(model, runs, folder)
    assert done.exit_code == 2 and "other weights" in done.output
    assert (model / "model.json").read_bytes() == before and not (model / "README.md").exists()
    (folder / "evaluation.json").write_text("{}")
    done = card(model, runs, folder)
    assert done.exit_code == 2 and "was not written by evaluate" in done.output
