"""Training the refinement network: exact resume, validation beside the first midlines, and into a model."""

import json

import pytest
import tiny_runs
import torch
import yaml
from click.testing import CliRunner
from drawn_phantoms import draw_cohort
from safetensors.torch import load_file

from midlineshift_training.cli.main import main
from midlineshift_training.trainers.callbacks.validation_table import read_validation_table
from midlineshift_training.trainers.processes import Launch
from midlineshift_training.trainers.refinement_trainer import RefinementTrainer
from midlineshift_training.trainers.run_folder.finished_run import load_run_network
from midlineshift_training.trainers.settings.merge import merge_settings
from midlineshift_training.trainers.settings.midline import RefinementSettings
from midlineshift_training.trainers.settings.stored import load_run_settings
from midlineshift_training.trainers.training_run import train
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.models import load_model
from MidlineShiftLogic.models.folder import save_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("refinement")
    draw_cohort(folder / "cohort", 4)
    return folder


@pytest.fixture(scope="module")
def run(folder):
    """A finished run."""
    tiny_runs.run("refinement", folder, folder / "run", more={"data": [str(folder / "cohort")], "cases": 3})
    return folder / "run"


def command(*arguments):
    return CliRunner().invoke(main, [str(one) for one in arguments])


class Killed(Exception):
    pass


def test_a_killed_run_resumes_to_the_same_weights(folder, run, tmp_path):
    settings = load_run_settings(run)
    killed = tiny_runs.stage_of("refinement", folder, settings)
    original = killed.training_step

    def die_at_step_four(*arguments):
        if killed.trainer.global_step == 4:
            raise Killed
        return original(*arguments)

    killed.training_step = die_at_step_four
    with pytest.raises(Killed):
        train(killed, tmp_path / "killed", settings)
    again = tiny_runs.stage_of("refinement", folder, settings, seed=99)
    train(again, tmp_path / "killed", settings, Launch(resume=True))
    states = [torch.load(one / "last.ckpt", weights_only=True) for one in (run, tmp_path / "killed")]
    for part in ("state_dict", "current_model_state"):
        for name, value in states[0][part].items():
            assert torch.equal(value, states[1][part][name]), name


def test_a_check_has_the_error_of_the_shift_beside_that_of_the_first_midlines(run):
    rows = read_validation_table(run)
    assert [row["step"] for row in rows] == [3, 6]
    for row in rows:
        assert {"validation/rows", "validation/offset", "validation/shift", "validation/shift_mm"} <= set(row)
        assert row["validation/first_shift_mm"] == rows[0]["validation/first_shift_mm"] > 0, "always the same slices"
    assert json.loads((run / "network.json").read_text())["kind"] == "strip_unet"


def test_steps_make_the_midline_known(folder):
    """On one batch over and over, the error falls below that of the first midlines."""
    settings = tiny_runs.settings_of("refinement", folder, batch=6, features=[16, 16, 16], clean_share=1.0)
    stage = tiny_runs.stage_of("refinement", folder, settings)
    assert stage.variation.degraded == 0
    batch = stage.training_batches(0, 1)[0]
    optimizer, losses = torch.optim.AdamW(stage.network.parameters(), 5e-3), []
    for _ in range(25):
        losses.append(stage.training_step(batch, 0))
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert float(losses[-1].detach()) < 0.7 * float(losses[0].detach())


def test_pictures_show_strips(folder):
    stage = tiny_runs.stage_of("refinement", folder, tiny_runs.settings_of("refinement", folder))
    stage.eval()
    with torch.no_grad():
        figures = stage.pictures()
    axes = figures["strips"].axes
    assert 1 <= len(axes) <= 2, "a column a slice of the batch that can be measured"
    assert all(len(one.lines) == 3 and "first" in one.get_xlabel() for one in axes)


def test_the_command_trains_and_export_adds_the_network_to_a_model(folder, tmp_path):
    tiny = {"features": [8, 8], "batch": 2, "max_steps": 2, "check_every": 2, "validation_batches": 1}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(tiny | {"pictures_every": 0}))
    data = ["refinement", "--data", folder / "cohort", "--config", tmp_path / "tiny.yaml"]
    done = command(*data, "--out", tmp_path / "run", "--validation-cases", 1, "--seed", 3)
    assert done.exit_code == 0, done.output
    assert "  shift_mm " in done.output and "  first_shift_mm " in done.output
    stored = load_run_settings(tmp_path / "run")
    assert isinstance(stored, RefinementSettings) and (stored.cases, stored.seed) == (3, 3)
    nothing = command(*data, "--out", tmp_path / "none", "--init", "midlineshift", "--leave-out-fold", 1)
    assert nothing.exit_code == 2 and "--leave-out-fold is for sets" in nothing.output
    assert not (tmp_path / "none").exists()

    added = command("export", "--model", "midlineshift", "--refinement", tmp_path / "run", "--out", tmp_path / "model")
    assert added.exit_code == 0, added.output
    again = command(*data, "--out", tmp_path / "again", "--init", tmp_path / "model", "--max-steps", 1)
    assert again.exit_code == 0, again.output
    settings = load_run_settings(tmp_path / "again")
    assert settings.init == str(tmp_path / "model")


def test_a_strip_that_the_network_cannot_halve_so_often_is_refused():
    with pytest.raises(InputError, match="features"):
        merge_settings(RefinementSettings(), assignments=["features=[8, 8, 8, 8, 8, 8]"])


def test_opened_without_data_the_network_is_the_runs(run):
    network, weights = load_run_network(run), load_file(run / "best.safetensors")
    assert all(torch.equal(value, weights[name]) for name, value in network.state_dict().items())
    assert RefinementTrainer(load_run_settings(run), None, None).network.config == network.config


def test_a_model_without_this_network_is_nothing_to_start_from(folder, tmp_path):
    model = load_model("midlineshift")
    save_model(tmp_path / "model", model.description, {"pose": model.network("pose")})
    start = ["--data", folder / "cohort", "--out", tmp_path / "run", "--init", tmp_path / "model"]
    refused = command("refinement", *start)
    assert refused.exit_code == 2 and "has no refinement network to start from" in refused.output
    assert not (tmp_path / "run").exists()
