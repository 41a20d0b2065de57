"""Training the midline networks: exact resume, the best weights kept, errors in one sentence."""

import pytest
import torch
from click.testing import CliRunner
from drawn_phantoms import draw_cohort
from safetensors.torch import load_file

from midlineshift_training.datasets.phantom_slices import load_phantoms
from midlineshift_training.datasets.phantoms.files import phantom_files
from midlineshift_training.trainers.callbacks.validation_table import read_validation_table
from midlineshift_training.trainers.deformation_trainer import (
    HEALTHY_STREAM,
    NOISE_STREAM,
    DeformationTrainer,
)
from midlineshift_training.trainers.initial_weights import load_what_fits
from midlineshift_training.trainers.midline_trainer import MidlineTrainer
from midlineshift_training.trainers.processes import Launch
from midlineshift_training.trainers.settings.midline import DeformationSettings, PoseSettings
from midlineshift_training.trainers.settings.stored import load_run_settings
from midlineshift_training.trainers.training_run import train
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.networks.midline_unet import MidlineUNet

TINY = {
    "features": [8, 8, 8, 8, 8],
    "batch": 2,
    "max_steps": 6,
    "check_every": 3,
    "validation_batches": 1,
    "pictures_every": 0,
}
SETTINGS = PoseSettings(**TINY)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return draw_cohort(tmp_path_factory.mktemp("cohort"), 4)


@pytest.fixture(scope="module")
def data(cohort):
    files = phantom_files(cohort)
    return load_phantoms(files[:3]), load_phantoms(files[3:])


def stage_of(kind, data, seed=0):
    torch.manual_seed(seed)
    return kind(SETTINGS, *data)


class Killed(Exception):
    pass


class DiesAtStepFour(MidlineTrainer):
    def training_step(self, batch, number):
        if self.trainer.global_step == 4:
            raise Killed
        return super().training_step(batch, number)


def test_a_killed_run_resumes_to_the_same_weights(data, tmp_path):
    train(stage_of(MidlineTrainer, data), tmp_path / "straight", SETTINGS)
    with pytest.raises(Killed):
        train(stage_of(DiesAtStepFour, data), tmp_path / "killed", SETTINGS)
    assert (tmp_path / "killed" / "last.ckpt").exists()
    train(stage_of(MidlineTrainer, data, seed=99), tmp_path / "killed", SETTINGS, Launch(resume=True))
    states = [torch.load(tmp_path / n / "last.ckpt", weights_only=False) for n in ("straight", "killed")]
    for part in ("state_dict", "current_model_state"):
        for name, value in states[0][part].items():
            assert torch.equal(value, states[1][part][name]), name
    best = [load_file(tmp_path / n / "best.safetensors") for n in ("straight", "killed")]
    assert all(torch.equal(value, best[1][name]) for name, value in best[0].items())
    assert not list((tmp_path / "killed").glob(".*partial"))


@pytest.mark.parametrize(("before", "after"), [(1, 6), (4, 1), (2, 3)])
def test_a_run_resumes_to_the_same_weights_with_checks_nearer_and_farther_apart(data, tmp_path, before, after):
    train(stage_of(MidlineTrainer, data), tmp_path / "straight", SETTINGS)
    with pytest.raises(Killed):
        train(stage_of(DiesAtStepFour, data), tmp_path / "killed", SETTINGS | {"check_every": before})
    again = stage_of(MidlineTrainer, data, seed=99)
    train(again, tmp_path / "killed", SETTINGS | {"check_every": after}, Launch(resume=True))
    steps = [row["step"] for row in read_validation_table(tmp_path / "killed")]
    assert steps == [*range(before, 5, before), *range(4 + after, 6, after), 6]
    states = [torch.load(tmp_path / n / "last.ckpt", weights_only=True) for n in ("straight", "killed")]
    assert states[1]["global_step"] == 6
    for name, value in states[0]["state_dict"].items():
        assert torch.equal(value, states[1]["state_dict"][name]), name


def test_a_run_folder_is_not_overwritten(data, tmp_path):
    (tmp_path / "settings.yaml").write_text("seed: 0\n")
    with pytest.raises(InputError, match="already holds a run"):
        train(stage_of(MidlineTrainer, data), tmp_path, SETTINGS)
    with pytest.raises(InputError, match="resume"):
        train(stage_of(MidlineTrainer, data), tmp_path / "new", SETTINGS, Launch(resume=True))


def test_a_run_killed_before_its_first_check_can_be_resumed(data, tmp_path):
    class Stopped(BaseException):
        """What no handler of errors sees, as a kill."""

    class DiesAtOnce(MidlineTrainer):
        def training_step(self, batch, number):
            raise Stopped

    with pytest.raises(Stopped):
        train(stage_of(DiesAtOnce, data), tmp_path / "run", SETTINGS)
    assert not (tmp_path / "run" / "last.ckpt").exists()
    train(stage_of(MidlineTrainer, data), tmp_path / "run", SETTINGS | {"max_steps": 3}, Launch(resume=True))
    assert (tmp_path / "run" / "best.safetensors").exists()


def test_every_purpose_has_its_own_random_numbers(data):
    stage = DeformationTrainer(DeformationSettings(**TINY, noise_difference=False), *data)
    first = [torch.randn(4, generator=stage._generator(stream, 5)) for stream in (0, NOISE_STREAM, HEALTHY_STREAM)]
    again = torch.randn(4, generator=stage._generator(NOISE_STREAM, 5))
    assert torch.equal(first[1], again)
    assert len({tuple(numbers.tolist()) for numbers in first}) == 3


def test_weights_of_another_network_are_refused(tmp_path):
    from safetensors.torch import save_file

    save_file({"weight": torch.zeros(2)}, tmp_path / "w.safetensors")
    with pytest.raises(InputError, match="fits this network nowhere"):
        load_what_fits(MidlineUNet(features=(8, 8, 8, 8, 8)), tmp_path / "w.safetensors")


def test_warm_start_adds_an_input_channel_of_zeros(tmp_path):
    from safetensors.torch import save_file

    two = MidlineUNet(in_channels=2, features=(8, 8, 8, 8, 8))
    save_file(two.state_dict(), tmp_path / "w.safetensors")
    three = MidlineUNet(in_channels=3, features=(8, 8, 8, 8, 8))
    assert load_what_fits(three, tmp_path / "w.safetensors") == []
    x = torch.randn(1, 3, 64, 64)
    two.eval()
    three.eval()
    assert torch.allclose(two(x[:, :2]).ideal, three(x).ideal, atol=1e-5)


def test_the_command_trains_and_shows_errors_in_a_sentence(cohort, tmp_path):
    from midlineshift_training.cli.main import main

    (tmp_path / "tiny.yaml").write_text("\n".join(f"{key}: {value}" for key, value in TINY.items()))
    arguments = ["pose", "--data", str(cohort), "--out", str(tmp_path / "run"), "--config", str(tmp_path / "tiny.yaml")]
    done = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert {"settings.yaml", "network.json", "best.safetensors", "last.ckpt"} <= {
        p.name for p in (tmp_path / "run").iterdir()
    }
    again = CliRunner().invoke(main, arguments)
    assert again.exit_code == 2
    assert "already holds a run" in again.output
    assert "Traceback" not in again.output

    start = ["--init", str(tmp_path / "run" / "best.safetensors"), "--max-steps", "3"]
    arguments = ["deformation", "--no-noise-difference", "--data", str(cohort), "--out", str(tmp_path / "deformation")]
    result = CliRunner().invoke(main, [*arguments, *start, "--config", str(tmp_path / "tiny.yaml")])
    assert result.exit_code == 0, result.output
    assert "left as initialised: flow.0.weight" in result.output
    arguments.remove("--no-noise-difference")
    for contradiction in (["--init", "other.safetensors"], ["--conditional", str(tmp_path)]):
        refused = CliRunner().invoke(main, [*arguments, "--resume", *contradiction])
        assert refused.exit_code == 2
        assert "was started with" in refused.output
    resumed = CliRunner().invoke(main, [*arguments, "--resume", "--max-steps", "4"])
    assert resumed.exit_code == 0, resumed.output
    stored = load_run_settings(tmp_path / "deformation")
    assert stored.init == start[1]
    assert stored.noise_difference is False


def test_weights_that_are_nowhere_are_named(tmp_path):
    for source in ("nowhere", tmp_path):
        with pytest.raises(
            InputError, match="is no weights file, no run folder with weights, and no model to start from"
        ):
            load_what_fits(torch.nn.Linear(1, 1), source)
