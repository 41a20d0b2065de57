"""The command group: help, version, tracebacks on request; every setting is listed."""

import errno

import click
import pytest
import yaml
from click.testing import CliRunner

from midlineshift_training.cli.main import COMMANDS, main
from midlineshift_training.trainers.settings.merge import merge_settings
from midlineshift_training.trainers.settings.presets import AUTHORS_DIFFUSION
from midlineshift_training.trainers.settings.stored import KINDS
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.software import package_version


def run(*arguments):
    return CliRunner().invoke(main, [str(one) for one in arguments])


def test_help_and_version():
    assert run("-h").output == run("--help").output
    assert all(f"  {name} " in run("-h").output for name in COMMANDS)
    assert run("--version").output == f"midlineshift-train {package_version()}\n"
    assert run("pose", "-h").exit_code == 0


def test_the_short_option_survives_a_context_without_the_group():
    """Click keeps the help option that it makes first, as for a page of the documentation."""
    command = main.get_command(click.Context(main), "card")
    command.get_help_option(click.Context(command, **command.context_settings))
    assert run("card", "-h").exit_code == 0


def test_errors_are_a_sentence_and_a_traceback_on_request(tmp_path):
    arguments = ["summary", tmp_path]
    result = run(*arguments)
    assert (result.exit_code, result.output.count("\n")) == (2, 1) and result.output.startswith("Error: ")
    assert isinstance(run("--debug", *arguments).exception, InputError)


def test_unexpected_errors_are_a_sentence_too(tmp_path, monkeypatch):
    from midlineshift_training.trainers.run_folder import summary

    monkeypatch.setattr(summary, "write_summary", lambda run: 1 / 0)
    result = run("summary", tmp_path)
    assert (
        result.exit_code == 1 and "ZeroDivisionError" in result.output and "midlineshift-train --debug" in result.output
    )
    assert isinstance(run("--debug", "summary", tmp_path).exception, ZeroDivisionError)


def test_nothing_is_said_where_whoever_read_the_output_is_gone(monkeypatch):
    from midlineshift_training.trainers.settings import describe

    def gone(_settings):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr(describe, "describe", gone)
    assert (run("settings", "pose").exit_code, run("settings", "pose").output) == (1, "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["card", "--model", "m", "--run", "deformation", "--evaluation", "e"], "is not component=run folder"),
        (["pose", "--data", "scans", "--out", "x"], "'midlineshift-train convert'"),
        (["evaluate", "--set", "scans", "--out", "x"], "'midlineshift-train convert' makes a set of your scans"),
    ],
)
def test_a_folder_or_text_of_the_wrong_kind_is_answered_by_what_to_do(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scans").mkdir()
    result = run(*arguments)
    assert result.exit_code == 2 and message in result.output, result.output
    assert [path.name for path in tmp_path.iterdir()] == ["scans"]


@pytest.mark.parametrize("task", KINDS)
def test_every_setting_is_listed_and_the_listing_can_be_used(task, tmp_path):
    listed = run("settings", task).output
    for name in yaml.safe_load(run("settings", task, "--yaml").output):
        assert f"\n{name} = " in f"\n{listed}" or f"\n{name}." in listed, name
    assert "\nlearning_rate = 0.00" in listed and "(number, >= 0)" in listed
    (tmp_path / "all.yaml").write_text(run("settings", task, "--yaml").output)
    assert merge_settings(KINDS[task](), tmp_path / "all.yaml") == KINDS[task]()


def test_a_preset_is_listed():
    listed = run("settings", "diffusion", "--preset", "authors").output
    assert f"grid = {AUTHORS_DIFFUSION.grid} " in listed
    assert run("settings", "pose", "--preset", "authors").exit_code == 2


def test_a_gpu_that_is_not_there_leaves_nothing_behind(tmp_path):
    import torch
    from drawn_phantoms import draw_cohort

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    cohort = draw_cohort(tmp_path / "cohort", 3)
    arguments = ["pose", "--data", cohort, "--out", tmp_path / "run", "--set", "features=[8, 8, 8, 8, 8]"]
    result = run(*arguments, "--accelerator", "gpu")
    assert result.exit_code == 2 and "no GPU" in result.output
    assert not (tmp_path / "run").exists()
    wrong = run(*arguments, "--set", "learning_rate=fast")
    assert wrong.exit_code == 2 and "learning_rate must be" in wrong.output
    assert not (tmp_path / "run").exists()
