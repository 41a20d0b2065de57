"""Loggers of a run; those that have to be installed are tried offline where they are."""

import csv
import json
import re
import sys
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


def test_a_logger_that_is_not_installed_is_reported_before_anything_is_written(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install 'wandb"):
        check_loggers(SimpleNamespace(loggers=["tensorboard", "wandb"]))
    with pytest.raises(InputError, match="pip install 'mlflow"):
        run(folder, tmp_path / "run", loggers=["mlflow"])
    assert not (tmp_path / "run").exists()


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A function that puts a stub of a package where Python finds it."""

    def install(name, version, source):
        site = tmp_path / "site"
        (site / name).mkdir(parents=True)
        (site / name / "__init__.py").write_text(source, encoding="utf-8")
        information = site / f"{name}-{version}.dist-info"
        information.mkdir()
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (information / "METADATA").write_text(text, encoding="utf-8")
        monkeypatch.syspath_prepend(site)
        monkeypatch.delitem(sys.modules, name, raising=False)

    return install


@pytest.mark.parametrize(
    ("version", "source", "text"),
    [
        ("1.27.0", "", "needs mlflow 2.8 or newer, and 1.27.0 is installed"),
        ("2.9.0", "raise ImportError('cannot import name runtime_version from google.protobuf.')", "runtime_version"),
        ("2.9.0", "raise AttributeError('module pandas has no attribute x\\nand a second line')", "no attribute x);"),
        ("2.9.0", "import a_package_that_is_not_there", "a_package_that_is_not_there"),
    ],
)
def test_a_logger_that_does_not_go_with_the_others_is_one_sentence(version, source, text, installed, folder, tmp_path):
    installed("mlflow", version, source)
    with pytest.raises(InputError, match=re.escape(text)) as found:
        run(folder, tmp_path / "run", loggers=["csv", "mlflow"], max_steps=1)
    assert "\n" not in str(found.value)
    assert not (tmp_path / "run").exists()


def test_a_logger_that_fails_to_start_is_one_sentence_and_leaves_the_folder_free(
    installed, folder, tmp_path, monkeypatch
):
    installed("wandb", "0.31.0", "")

    def refuse(*_, **__):
        raise ModuleNotFoundError("Module not found: 'wandb>=0.12.10'. Try `pip install wandb`\nmore")

    monkeypatch.setattr("midlineshift_training.trainers.loggers.WandbLogger", refuse)
    with pytest.raises(InputError, match="logger wandb cannot be used"):
        run(folder, tmp_path / "run", loggers=["wandb"], max_steps=1)
    run(folder, tmp_path / "run", loggers=["csv"], max_steps=1)


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
