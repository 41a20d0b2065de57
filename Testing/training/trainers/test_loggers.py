"""Loggers of a run; those that have to be installed are tried offline where they are."""

import csv
import json
from types import SimpleNamespace

import pytest
import tiny_runs
from drawn_phantoms import draw_cohort

from midlineshift_training.trainers.callbacks.progress_bar import LINE_SECONDS, StepProgressBar
from midlineshift_training.trainers.loggers import IDS, check_loggers
from midlineshift_training.trainers.processes import Launch
from midlineshift_training.trainers.training_run import train
from MidlineShiftLogic.errors import InputError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    draw_cohort(folder / "cohort", 4)
    return folder


def run(folder, out, resume=False, **more):
    settings = tiny_runs.settings_of("pose", folder, check_every=1, **more)
    train(tiny_runs.stage_of("pose", folder, settings), out, settings, Launch(resume=resume))


def test_csv_gets_a_file_a_start(folder, tmp_path):
    run(folder, tmp_path, loggers=["csv"], max_steps=1)
    run(folder, tmp_path, resume=True, loggers=["csv"], max_steps=2)
    files = sorted((tmp_path / "csv").rglob("metrics.csv"))
    assert [file.parent.name for file in files] == ["from-step-0000000", "from-step-0000001"]
    rows = [row for file in files for row in csv.DictReader(file.open())]
    assert {row["step"] for row in rows if row.get("train/total")} == {"1", "2"}
    assert {row["step"] for row in rows if row.get("validation/score")} == {"1", "2"}
    assert not (tmp_path / "tensorboard").exists()


@pytest.mark.parametrize("name", ["mlflow", "wandb"])
def test_servers_are_not_asked_offline(name, folder, tmp_path, monkeypatch):
    pytest.importorskip(name)
    monkeypatch.setenv("WANDB_SILENT", "true")
    run(folder, tmp_path, loggers=[name], max_steps=1)
    identifier = json.loads((tmp_path / IDS).read_text())[name]
    run(folder, tmp_path, resume=True, loggers=[name], max_steps=2)
    assert json.loads((tmp_path / IDS).read_text())[name] == identifier
    assert list(tmp_path.glob(f"{name}*"))


def test_a_logger_that_is_not_installed_is_told_before_anything_is_written(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install wandb"):
        check_loggers(SimpleNamespace(loggers=["tensorboard", "wandb"]))
    with pytest.raises(InputError, match="pip install mlflow"):
        run(folder, tmp_path / "run", loggers=["mlflow"])
    assert not (tmp_path / "run").exists()


def test_a_line_a_minute_where_there_is_no_terminal(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr("midlineshift_training.trainers.callbacks.progress_bar.time.monotonic", lambda: now[0])
    trainer = SimpleNamespace(is_global_zero=True, max_steps=100, global_step=0, accumulate_grad_batches=1)
    bar = StepProgressBar("pose")
    bar.on_train_start(trainer, None)
    for step, seconds in ((1, 1.0), (30, LINE_SECONDS), (31, LINE_SECONDS + 1)):
        trainer.global_step, now[0] = step, seconds
        bar.on_train_batch_end(trainer, None, {"loss": 2.0}, None, 0)
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines == ["pose  step 30 of 100  loss 2  2 min left"]
