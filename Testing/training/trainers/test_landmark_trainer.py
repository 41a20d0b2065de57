"""Stage 2 on sparse landmarks: it learns from them, misses nothing where there are none, and resumes to the same weights."""

import copy

import pytest
import torch
import yaml
from click.testing import CliRunner
from landmark_sets import SPACING, SPACING_TEXT, write_authors_layout
from safetensors.torch import load_file, save_file
from small_networks import SMALL_DENOISER, awake

from midlineshift_training.cli.main import main
from midlineshift_training.datasets.landmark_dataset import SlicesInOrder
from midlineshift_training.trainers.landmark_metrics import landmark_errors
from midlineshift_training.trainers.landmark_trainer import LandmarkTrainer
from midlineshift_training.trainers.processes import Launch
from midlineshift_training.trainers.pseudo_healthy_targets import FILE
from midlineshift_training.trainers.settings.landmarks import LandmarkSettings
from midlineshift_training.trainers.settings.merge import checked
from midlineshift_training.trainers.start.annotated_data import annotated_cases, cut_cases
from midlineshift_training.trainers.training_run import train
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.models import load_model
from MidlineShiftLogic.networks.denoiser import Denoiser

TINY = {
    "grid": 64,
    "pixel_mm": 3.6,
    "frame": "as scanned",
    "slices": "authors",
    "noise": {"t": 300, "seed": 0, "schedule": "linear", "steps": 1000, "grid": 32, "gain": 5.0},
    "ddim": {"count": 50, "start": 2, "conditional_weight": 3.0},
    "batch": 4,
    "max_steps": 4,
    "check_every": 2,
    "warm_up": 1,
    "precision": "32-true",
    "pictures_every": 0,
}


def denoiser_run(folder, cohort, seed):
    """A run folder of an untrained small denoiser."""
    import json

    torch.manual_seed(seed)
    network = awake(Denoiser(**SMALL_DENOISER), seed)
    folder.mkdir(parents=True)
    settings = {
        "cohort": cohort,
        "grid": 32,
        "frame_width_mm": 230.4,
        "frame_mm": 198.0,
        "schedule": "linear",
        "steps": 1000,
        "degraded_share": 0.0,
    }
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings))
    (folder / "network.json").write_text(json.dumps({"kind": "adm", "config": network.config}))
    save_file(network.state_dict(), folder / "best.safetensors")
    return str(folder)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    return {
        "data": [str(write_authors_layout(folder, cases=6))],
        "validation_data": None,
        "spacing": list(SPACING),
        "conditional": denoiser_run(folder / "con", "non-mls", 1),
        "unconditional": denoiser_run(folder / "unc", "all", 2),
        "init": None,
    }


@pytest.fixture(scope="module")
def slices(world):
    settings, *parts = annotated_cases(settings_of(world))
    return [cut_cases(part, settings, 64, 3.6) for part in parts]


def settings_of(world, **more):
    return LandmarkSettings(**TINY | world | more)


def stage_of(world, slices, run, kind=LandmarkTrainer, seed=0, **more):
    torch.manual_seed(seed)
    return kind(settings_of(world, **more), *slices, run)


class Killed(Exception):
    pass


class DiesAtStepThree(LandmarkTrainer):
    def training_step(self, batch, number):
        if self.trainer.global_step == 3:
            raise Killed
        return super().training_step(batch, number)


@pytest.mark.parametrize("mode", ["once", "every step"])
def test_a_killed_run_resumes_to_the_same_weights(world, slices, tmp_path, mode):
    settings = settings_of(world, pseudo_healthy=mode)
    runs = [tmp_path / name for name in ("straight", "killed")]
    drawn = settings | {"pictures_every": 2 * int(mode == "once")}
    train(stage_of(world, slices, runs[0], pseudo_healthy=mode), runs[0], drawn)
    with pytest.raises(Killed):
        train(stage_of(world, slices, runs[1], DiesAtStepThree, pseudo_healthy=mode), runs[1], settings)
    train(stage_of(world, slices, runs[1], seed=9, pseudo_healthy=mode), runs[1], settings, Launch(resume=True))
    best = [load_file(run / "best.safetensors") for run in runs]
    assert all(torch.equal(value, best[1][name]) for name, value in best[0].items())
    assert (runs[0] / FILE).exists() == (mode == "once")
    if mode == "once":
        assert (runs[0] / "pictures" / "fields.png").stat().st_size > 10_000


def test_the_landmarks_are_learned(world, slices, tmp_path):
    settings = settings_of(world, max_steps=60, check_every=60, labelled_share=0.9, mirror=0.0, ema_decay=0.9)
    settings |= {"loss": {"image": 0.0, "smooth": 0.02, "landmark": 1.0, "hinge": 0.0}}
    # checked with what it learns from: the score then tells whether the loss leads where it should
    torch.manual_seed(0)
    stage = LandmarkTrainer(settings, slices[0], slices[0], tmp_path / "run")
    scores = []
    stage.validation_score = lambda original=stage.validation_score: scores.append(original()) or scores[-1]
    train(stage, tmp_path / "run", settings)
    assert scores[-1] < 3.0  # a field of zero errs by 7.2


def test_pseudo_healthy_slices_kept_are_those_made(world, slices, tmp_path):
    stage = stage_of(world, slices, tmp_path)
    kept = stage._make_all()
    assert kept.images.shape == (len(slices[0]), 1, 32, 32)
    batch = next(iter(SlicesInOrder(slices[0], 4)))
    assert kept.of(batch).abs().max() <= 1
    flipped = copy.copy(batch)
    flipped.transform = torch.tensor([[[-1.0, 0, 0], [0, 1, 0]]]).expand(4, -1, -1)
    assert torch.allclose(kept.of(flipped), kept.of(batch).flip(-1), atol=1e-3)


def test_the_image_term_grows_with_the_passes_over_the_slices(world, slices, tmp_path):
    stage = stage_of(world, slices, tmp_path)
    stage.trainer = type("Trainer", (), {"global_step": 5 * len(slices[0])})()
    weights = stage.term_weights({"image": 0.5, "hinge": 2.0}, 1 / 20, len(slices[0]))
    assert weights == {"image": pytest.approx(0.5 * (1 + 5 * TINY["batch"] / 20)), "hinge": 2.0}


def test_kept_slices_of_another_set_are_refused(world, slices, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    save_file({"pseudo_healthy": torch.zeros(3, 1, 32, 32)}, run / FILE)
    with pytest.raises(InputError, match="not of the slices of this run"):
        stage_of(world, slices, run).on_fit_start()


def test_landmark_errors():
    nan = float("nan")
    found = {
        "case": torch.tensor([0, 0, 1, 2]),
        "true_mm": torch.tensor([4.0, nan, nan, nan]),
        "limit_mm": torch.tensor([5.0, 5.0, 0.0, nan]),
        "landmark": torch.tensor([3.0, 9.0, 9.0, 9.0]),
        "largest": torch.tensor([6.0, 7.0, 1.5, 9.0]),
        "loss": torch.ones(4),
    }
    expected = {"slice_landmark_mae_mm": 1.0, "slice_largest_mae_mm": 2.0, "case_mae_mm": (2 + 1.5) / 2, "loss": 1.0}
    assert landmark_errors(found) == pytest.approx(expected)
    without = found | {"true_mm": torch.full((4,), nan), "limit_mm": torch.full((4,), nan)}
    assert landmark_errors(without) == {"loss": 1.0}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"grid": 40}, "multiple of 16"),
        ({"pseudo_healthy": "never"}, "pseudo_healthy must be 'once' or 'every step', not 'never'"),
        ({"readout": "all"}, "readout must be 'landmark' or 'largest', not 'all'"),
    ],
)
def test_settings_that_contradict(world, change, said):
    with pytest.raises(InputError, match=said):
        checked(LandmarkSettings, TINY | world | change)


def test_the_commands_train_export_and_measure(world, tmp_path):
    """A ``.pkl`` as it is, both stages, a model folder whose deformation network is theirs."""
    one = {"grid": 32, "network": {key: value for key, value in SMALL_DENOISER.items() if key != "image_size"}}
    one |= {"frame": "as scanned", "slices": "authors", "frame_mm": 165.0, "validation_batches": 1, "warm_up": 1}
    one |= {"batch": 2, "max_steps": 2, "check_every": 2, "pictures_every": 0, "sampler": "loss-second-moment"}
    (tmp_path / "one.yaml").write_text(yaml.safe_dump(one))
    (tmp_path / "two.yaml").write_text(yaml.safe_dump(TINY | {"frame_mm": 165.0, "max_steps": 2}))

    def run(*arguments):
        result = CliRunner().invoke(main, [str(one) for one in arguments])
        assert result.exit_code == 0, result.output
        return result.output

    data = ["--data", *world["data"], "--spacing", SPACING_TEXT]
    for cohort in ("all", "non-mls"):
        run("diffusion", *data, "--cohort", cohort, "--out", tmp_path / cohort, "--config", tmp_path / "one.yaml")
    denoisers = ["--conditional", tmp_path / "non-mls", "--unconditional", tmp_path / "all"]
    run("deformation", *data, *denoisers, "--out", tmp_path / "def", "--config", tmp_path / "two.yaml")
    stored = yaml.safe_load((tmp_path / "def" / "settings.yaml").read_text())
    assert stored["spacing"] == list(SPACING) and stored["cases"] + stored["validation_cases"] == 6
    checkpoint = torch.load(tmp_path / "all" / "last.ckpt", weights_only=True)
    assert checkpoint["sampler"]["counts"].sum() == 4
    run("export", *denoisers, "--deformation", tmp_path / "def", "--out", tmp_path / "model")
    model = load_model(tmp_path / "model")
    assert model.frame == {"grid": 64, "pixel_mm": 3.6, "length_mm": 165.0}
    assert model.frame_of("pose") == load_model().frame
    assert type(model.network("deformation")).__name__ == "DeformationNet"
    trained_on = model.description.trained_on
    assert trained_on.startswith("real scans with sparse landmarks (6 cases); pose network of midlineshift 5 (")
    refused = CliRunner().invoke(
        main, ["deformation", *data, "--out", str(tmp_path / "x"), "--no-noise-difference", "--preset", "authors"]
    )
    assert refused.exit_code == 2 and "cannot do without the denoisers" in refused.output


def test_the_authors_preset_trains_by_epochs_on_any_grid(world, tmp_path):
    one = {"grid": 32, "network": {key: value for key, value in SMALL_DENOISER.items() if key != "image_size"}}
    one |= {"batch": 8, "validation_batches": 1, "pictures_every": 0}
    two = {"grid": 64, "pixel_mm": 3.6, "noise": {"grid": 32}, "ddim": {"start": 1}, "pictures_every": 0}
    for name, settings in (("one", one), ("two", two)):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(settings))
    data = ["--data", *world["data"], "--spacing", SPACING_TEXT, "--preset", "authors", "--epochs", "1"]

    def run(*arguments):
        result = CliRunner().invoke(main, [str(one) for one in arguments])
        assert result.exit_code == 0, result.output

    for cohort in ("all", "non-mls"):
        run("diffusion", *data, "--cohort", cohort, "--out", tmp_path / cohort, "--config", tmp_path / "one.yaml")
    denoisers = ["--conditional", tmp_path / "non-mls", "--unconditional", tmp_path / "all"]
    run("deformation", *data, *denoisers, "--out", tmp_path / "def", "--config", tmp_path / "two.yaml")
    first, second = (yaml.safe_load((tmp_path / name / "settings.yaml").read_text()) for name in ("all", "def"))
    # 4 cases of 27 - 8 - 5 slices
    assert (first["max_steps"], second["max_steps"]) == (7, 4)
    assert first["check_every"] == 7 and first["preset"] == "authors" and first["ema_decay"] == 0.9999
    assert second["pseudo_healthy"] == "every step" and second["noise"]["gain"] == 1.0
    assert not (tmp_path / "def" / FILE).exists()
