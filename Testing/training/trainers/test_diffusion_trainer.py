"""Training a denoiser: it learns, a killed run resumes to the same weights, the command tells errors in a sentence."""

import pytest
import torch
from click.testing import CliRunner
from drawn_phantoms import draw_cohort
from safetensors.torch import load_file

from midlineshift_training.cli.main import main
from midlineshift_training.datasets.phantoms.files import phantom_files
from midlineshift_training.trainers import timestep_sampler
from midlineshift_training.trainers.diffusion_trainer import DiffusionTrainer
from midlineshift_training.trainers.processes import Launch
from midlineshift_training.trainers.settings.diffusion import DiffusionSettings
from midlineshift_training.trainers.start.diffusion import cut_phantoms
from midlineshift_training.trainers.training_run import train

TINY = {
    "grid": 32,
    "network": {
        "base_channels": 32,
        "channel_multipliers": [1, 1],
        "residual_blocks": 1,
        "attention_resolutions": [16],
        "head_channels": 32,
        "dropout": 0.0,
    },
    "degraded_share": 0.0,
    "batch": 2,
    "max_steps": 6,
    "check_every": 3,
    "validation_batches": 1,
    "pictures_every": 0,
    "warm_up": 2,
    "image_metrics": False,
}
SETTINGS = DiffusionSettings(**TINY, cohort="all")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return draw_cohort(tmp_path_factory.mktemp("cohort"), 4)


@pytest.fixture(scope="module")
def data(cohort):
    files = phantom_files(cohort)
    return cut_phantoms(files[:3], SETTINGS), cut_phantoms(files[3:], SETTINGS)


def stage_of(kind, data, seed=0):
    torch.manual_seed(seed)
    return kind(SETTINGS, *data)


class Killed(Exception):
    pass


class DiesAtStepFour(DiffusionTrainer):
    def training_step(self, batch, number):
        if self.trainer.global_step == 4:
            raise Killed
        return super().training_step(batch, number)


def test_a_killed_run_resumes_to_the_same_weights(data, tmp_path):
    train(stage_of(DiffusionTrainer, data), tmp_path / "straight", SETTINGS)
    with pytest.raises(Killed):
        train(stage_of(DiesAtStepFour, data), tmp_path / "killed", SETTINGS)
    train(stage_of(DiffusionTrainer, data, seed=99), tmp_path / "killed", SETTINGS, Launch(resume=True))
    best = [load_file(tmp_path / name / "best.safetensors") for name in ("straight", "killed")]
    assert best[0].keys() == best[1].keys()
    assert all(torch.equal(value, best[1][name]) for name, value in best[0].items())
    assert any(value.abs().max() > 0 for name, value in best[0].items() if name.startswith("out_conv"))


class DiesAtStepEight(DiffusionTrainer):
    def training_step(self, batch, number):
        if self.trainer.global_step == 8:
            raise Killed
        return super().training_step(batch, number)


@pytest.mark.parametrize("microbatches", [1, 2])
def test_the_second_moment_sampler_goes_on_where_it_was(data, tmp_path, microbatches, monkeypatch):
    monkeypatch.setattr(timestep_sampler, "HISTORY", 3)  # it has seen enough long before the check that is gone on from
    settings = SETTINGS | {"sampler": "loss-second-moment", "schedule": "cosine", "steps": 4, "pictures_every": 0}
    settings |= {"batch": 4 // microbatches, "microbatches": microbatches, "max_steps": 12, "check_every": 6}

    def stage(kind=DiffusionTrainer, seed=0):
        torch.manual_seed(seed)
        return kind(settings, *data)

    straight = stage()
    train(straight, tmp_path / "straight", settings)
    assert straight.sampler.probabilities().std() > 0.05, "it never left the uniform steps"
    with pytest.raises(Killed):
        train(stage(DiesAtStepEight), tmp_path / "killed", settings)
    counts = torch.load(tmp_path / "killed" / "last.ckpt", weights_only=True)["sampler"]["counts"]
    assert counts.min() == 3, "it does not go on from uniform steps"
    train(stage(seed=99), tmp_path / "killed", settings, Launch(resume=True))
    best = [load_file(tmp_path / name / "best.safetensors") for name in ("straight", "killed")]
    assert all(torch.equal(value, best[1][name]) for name, value in best[0].items())


def test_the_noise_is_learned(data, tmp_path):
    settings = SETTINGS | {"max_steps": 40, "check_every": 40, "learning_rate": 2e-3, "batch": 4}
    torch.manual_seed(0)
    stage = DiffusionTrainer(settings, *data)
    scores = []
    stage.validation_score = lambda original=stage.validation_score: scores.append(original()) or scores[-1]
    train(stage, tmp_path / "run", settings)
    assert scores[0] < 0.6  # predicting no noise at all gives 1


def test_the_time_limit_ends_with_a_whole_run(data, tmp_path):
    stage = stage_of(DiffusionTrainer, data)
    train(stage, tmp_path / "run", SETTINGS, Launch(time_limit=0.0))
    assert stage.trainer.global_step == SETTINGS.check_every
    assert (tmp_path / "run" / "best.safetensors").exists()
    assert (tmp_path / "run" / "last.ckpt").exists()


def test_the_command_trains_starts_from_a_run_and_refuses_to_overwrite(cohort, tmp_path):
    import yaml

    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(TINY))

    def run(name, *more):
        out = ["--data", str(cohort), "--out", str(tmp_path / name), "--config", str(tmp_path / "tiny.yaml")]
        return CliRunner().invoke(main, ["diffusion", *out, *more])

    first = run("all", "--cohort", "all")
    assert first.exit_code == 0, first.output
    second = run("non-mls", "--cohort", "all", "--init", str(tmp_path / "all"), "--max-steps", "3", "--seed", "1")
    assert second.exit_code == 0, second.output
    start, end = (load_file(tmp_path / name / "best.safetensors") for name in ("all", "non-mls"))
    moved = max((end[name] - value).abs().max() for name, value in start.items())
    assert 0 < moved < 0.02
    again = run("all", "--cohort", "all")
    assert again.exit_code == 2
    assert "already holds a run" in again.output
    assert "Traceback" not in again.output
    assert run("other", "--cohort", "all", "--init", str(tmp_path / "absent")).exit_code == 2


def test_a_resumed_run_keeps_the_settings_it_was_started_with(cohort, tmp_path):
    import yaml

    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(TINY | {"max_steps": 3}))
    run = ["diffusion", "--data", str(cohort), "--cohort", "all", "--out", str(tmp_path / "run")]
    assert CliRunner().invoke(main, [*run, "--resume"]).exit_code == 2
    assert CliRunner().invoke(main, [*run, "--config", str(tmp_path / "tiny.yaml")]).exit_code == 0
    contradicted = CliRunner().invoke(main, [*run[:4], "non-mls", *run[5:], "--resume"])
    assert contradicted.exit_code == 2
    assert "was started with cohort 'all'" in contradicted.output
    run = [*run[:3], *run[5:]]  # the cohort is the run's own
    resumed = CliRunner().invoke(main, [*run, "--resume", "--max-steps", "6"])
    assert resumed.exit_code == 0, resumed.output
    stored = yaml.safe_load((tmp_path / "run" / "settings.yaml").read_text())
    assert (stored["grid"], stored["max_steps"], stored["cohort"]) == (32, 6, "all")
    assert torch.load(tmp_path / "run" / "last.ckpt", weights_only=False)["global_step"] == 6


def test_degradations_ask_for_their_grid(cohort, tmp_path):
    (tmp_path / "odd.yaml").write_text("grid: 32\n")
    arguments = ["--data", str(cohort), "--out", str(tmp_path / "run"), "--cohort", "all"]
    result = CliRunner().invoke(main, ["diffusion", *arguments, "--config", str(tmp_path / "odd.yaml")])
    assert result.exit_code == 2
    assert "degraded_share" in result.output


def test_activations_computed_twice_give_the_same_gradients():
    from midlineshift_training.trainers.gradient_checkpointing import checkpoint_activations

    torch.manual_seed(0)
    networks = [DiffusionTrainer(SETTINGS, None, None).network for _ in range(2)]
    networks[1].load_state_dict(networks[0].state_dict())
    checkpoint_activations(networks[1])
    x, t = torch.randn(2, 1, 32, 32), torch.tensor([10, 500])
    for network in networks:
        network.out_conv.weight.data.fill_(0.1)
        network(x, t).square().mean().backward()
    ours, theirs = (dict(network.named_parameters()) for network in networks)
    assert ours.keys() == theirs.keys()
    assert all(torch.allclose(value.grad, theirs[name].grad, atol=1e-6) for name, value in ours.items())
    assert any(value.grad.abs().max() > 0 for value in ours.values())


def test_checks_show_how_well_slices_are_made_again(data, tmp_path):
    from midlineshift_training.trainers.callbacks.validation_table import read_validation_table

    settings = SETTINGS | {"image_metrics": True, "gradient_checkpointing": True, "max_steps": 1, "check_every": 1}
    torch.manual_seed(0)
    train(DiffusionTrainer(settings, *data), tmp_path, settings)
    row = read_validation_table(tmp_path)[-1]
    assert 0 < row["validation/mae_hu"] < 80 and -1 <= row["validation/ssim"] < 1
