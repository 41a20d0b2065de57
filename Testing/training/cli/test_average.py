"""The mean of runs: of their weights, with statistics of its own, and only of runs that belong together."""

import pytest
import tiny_runs
import torch
import yaml
from click.testing import CliRunner
from drawn_phantoms import draw_cohort
from safetensors.torch import load_file

from midlineshift_training.cli.main import main
from midlineshift_training.trainers.run_folder.finished_run import load_run_network


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    draw_cohort(folder / "cohort", 4)
    data = {"data": [str(folder / "cohort")], "cases": 3}
    tiny_runs.run("pose", folder, folder / "one", more=data)
    tiny_runs.run("pose", folder, folder / "two", more=data | {"seed": 5})
    tiny_runs.run("pose", folder, folder / "wider", more=data | {"features": [16, 8, 8, 8, 8]})
    return folder


def average(folder, out, *names, more=()):
    runs = [part for name in names for part in ("--run", str(folder / name))]
    return CliRunner().invoke(main, ["average", *runs, "--out", str(out), "--batches", "3", *more])


def test_weights_are_the_mean_and_statistics_are_taken_anew(folder, tmp_path):
    result = average(folder, tmp_path / "mean", "one", "two")
    assert result.exit_code == 0, result.output
    one, two, mean = (
        load_file(run / "best.safetensors") for run in (folder / "one", folder / "two", tmp_path / "mean")
    )
    for name, value in mean.items():
        if "running" not in name and value.is_floating_point():
            assert torch.allclose(value, (one[name] + two[name]) / 2, atol=1e-6), name
    variances = [name for name in mean if name.endswith("running_var")]
    assert any(not torch.allclose(mean[name], (one[name] + two[name]) / 2, rtol=0.05) for name in variances)
    settings = yaml.safe_load((tmp_path / "mean" / "settings.yaml").read_text())
    assert settings["averaged"] == [str(folder / "one"), str(folder / "two")]
    assert not load_run_network(tmp_path / "mean").training
    again = average(folder, tmp_path / "again", "one", "two")
    assert again.exit_code == 0
    assert all(torch.equal(v, mean[n]) for n, v in load_file(tmp_path / "again" / "best.safetensors").items())


def test_refinement_runs_average_too(folder, tmp_path):
    data = {"data": [str(folder / "cohort")], "cases": 3}
    for seed in (0, 5):
        tiny_runs.run("refinement", folder, tmp_path / str(seed), more=data | {"seed": seed})
    result = average(tmp_path, tmp_path / "mean", "0", "5")
    assert result.exit_code == 0, result.output
    one, two, mean = (load_file(tmp_path / run / "best.safetensors") for run in ("0", "5", "mean"))
    assert torch.allclose(mean["out.weight"], (one["out.weight"] + two["out.weight"]) / 2, atol=1e-6)
    name = "stem.0.1.running_var"
    assert not torch.allclose(mean[name], (one[name] + two[name]) / 2, rtol=0.05)


@pytest.mark.parametrize(
    ("names", "sentence"),
    [(("one",), "nothing to average"), (("one", "wider"), "another network"), (("one", "none"), "not a run folder")],
)
def test_what_does_not_average_is_refused(folder, tmp_path, names, sentence):
    result = average(folder, tmp_path / "mean", *names)
    assert result.exit_code == 2 and sentence in result.output and not (tmp_path / "mean").exists()


def test_a_folder_that_exists_is_left_alone(folder, tmp_path):
    (tmp_path / "mine").mkdir()
    result = average(folder, tmp_path / "mine", "one", "two")
    assert result.exit_code == 2 and "exists" in result.output
