"""Training the reading networks: exact resume, the best weights kept, errors in one sentence."""

import pytest
import torch
from click.testing import CliRunner
from drawn_phantoms import draw_cohort
from safetensors.torch import load_file

from midlineshift_training.cohorts.phantom_store import load_phantoms, phantom_files
from midlineshift_training.stages.engine import train
from midlineshift_training.stages.reading import ReadingStage, load_initial
from midlineshift_training.stages.reading_command import DEFORMATION, POSE
from midlineshift_training.stages.settings import merge_settings
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.networks.midline_unet import MidlineUNet

TINY = {"features": [8, 8, 8, 8, 8], "batch": 2, "max_steps": 6, "check_every": 3, "validation_batches": 1}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return draw_cohort(tmp_path_factory.mktemp("cohort"), 4)


@pytest.fixture(scope="module")
def data(cohort):
    files = phantom_files(cohort)
    return load_phantoms(files[:3]), load_phantoms(files[3:])


def stage_of(kind, data, seed=0):
    torch.manual_seed(seed)
    return kind(POSE | TINY, *data)


class Killed(Exception):
    pass


class DiesAtStepFour(ReadingStage):
    def training_step(self, batch, number):
        if self.trainer.global_step == 4:
            raise Killed
        return super().training_step(batch, number)


def test_a_killed_run_resumes_to_the_same_weights(data, tmp_path):
    train(stage_of(ReadingStage, data), tmp_path / "straight", POSE | TINY)
    with pytest.raises(Killed):
        train(stage_of(DiesAtStepFour, data), tmp_path / "killed", POSE | TINY)
    assert (tmp_path / "killed" / "last.ckpt").exists()
    train(stage_of(ReadingStage, data, seed=99), tmp_path / "killed", POSE | TINY, resume=True)
    states = [torch.load(tmp_path / n / "last.ckpt", weights_only=False) for n in ("straight", "killed")]
    for part in ("state_dict", "current_model_state"):
        for name, value in states[0][part].items():
            assert torch.equal(value, states[1][part][name]), name
    best = [load_file(tmp_path / n / "best.safetensors") for n in ("straight", "killed")]
    assert all(torch.equal(value, best[1][name]) for name, value in best[0].items())
    assert not list((tmp_path / "killed").glob(".*partial"))


def test_a_run_folder_is_not_overwritten(data, tmp_path):
    (tmp_path / "settings.yaml").write_text("seed: 0\n")
    with pytest.raises(InputError, match="already holds a run"):
        train(stage_of(ReadingStage, data), tmp_path, POSE | TINY)
    with pytest.raises(InputError, match="resume"):
        train(stage_of(ReadingStage, data), tmp_path / "new", POSE | TINY, resume=True)


def test_unknown_settings_are_named(tmp_path):
    file = tmp_path / "s.yaml"
    file.write_text("batch: 8\nnoise: {t: 200}\n")
    merged = merge_settings(DEFORMATION, file, {"max_steps": None, "seed": 3})
    assert (merged["batch"], merged["noise"]["t"], merged["noise"]["grid"], merged["seed"]) == (8, 200, 64, 3)
    file.write_text("bathc: 8\n")
    with pytest.raises(InputError, match="bathc"):
        merge_settings(DEFORMATION, file, {})


def test_warm_start_adds_an_input_channel_of_zeros(tmp_path):
    from safetensors.torch import save_file

    two = MidlineUNet(in_channels=2, features=(8, 8, 8, 8, 8))
    save_file(two.state_dict(), tmp_path / "w.safetensors")
    three = MidlineUNet(in_channels=3, features=(8, 8, 8, 8, 8))
    assert load_initial(three, tmp_path / "w.safetensors") == []
    x = torch.randn(1, 3, 64, 64)
    two.eval()
    three.eval()
    assert torch.allclose(two(x[:, :2]).ideal, three(x).ideal, atol=1e-5)


def test_the_command_trains_and_tells_errors_in_a_sentence(cohort, tmp_path):
    from midlineshift_training.cli import main

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
