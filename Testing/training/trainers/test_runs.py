"""What a run folder tells and refuses: provenance, data digests, summary, pictures, early stop, busy folders."""

import math

import matplotlib.image
import pytest
import tiny_runs
import torch
from click.testing import CliRunner
from drawn_phantoms import draw_cohort

from midlineshift_training.cli.main import main
from midlineshift_training.datasets.midline_dataset import MidlineDataset
from midlineshift_training.datasets.sources import digest
from midlineshift_training.trainers.callbacks.progress_bar import duration
from midlineshift_training.trainers.callbacks.stopping import StopEarly
from midlineshift_training.trainers.callbacks.validation_table import read_validation_table
from midlineshift_training.trainers.midline_metrics import shift_errors
from midlineshift_training.trainers.processes import Launch
from midlineshift_training.trainers.run_folder.atomic_write import write_atomic
from midlineshift_training.trainers.run_folder.file_lock import lock_run
from midlineshift_training.trainers.run_folder.new_run import new_or_resumed
from midlineshift_training.trainers.run_folder.provenance import read_provenance
from midlineshift_training.trainers.run_folder.summary import summary_text
from midlineshift_training.trainers.settings.stored import load_run_settings
from midlineshift_training.trainers.training_run import train
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.networks.midline_unet import SlicePrediction


@pytest.fixture
def plain_curves():
    """Draw the curves: these tests look at the page of a run."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    draw_cohort(folder / "cohort", 4)
    for seed, name in enumerate(("con", "unc")):
        tiny_runs.write_denoiser(folder / name, seed)
    return folder


def run(kind, folder, out, resume=False, **more):
    settings = tiny_runs.settings_of(kind, folder, **more)
    stage = tiny_runs.stage_of(kind, folder, settings)
    train(stage, out, settings, Launch(resume=resume))
    return stage


def perfect(batch) -> SlicePrediction:
    """What a network would say that knows the truth."""
    size = batch.inside.shape[-1]
    axis = (torch.arange(size) - (size - 1) / 2) * 2
    far = (axis - batch.ends[..., :1])[:, :, None] ** 2 + (axis - batch.ends[..., 1:])[..., None] ** 2
    return SlicePrediction(
        batch.displacement,
        -batch.displacement,
        batch.ideal,
        batch.deformed,
        batch.inside,
        -far,
        batch.measurable,
        batch.height,
    )


def test_the_validation_error_is_that_of_the_shift_in_scan_millimetres(folder):
    settings = tiny_runs.settings_of("pose", folder, batch=12)
    batches = tiny_runs.stage_of("pose", folder, settings).validation_batches()
    assert isinstance(batches, MidlineDataset)
    batch = batches[0]
    errors = shift_errors(perfect(batch), batch)
    read = batch.measurable > 0
    assert 0 < read.sum() < len(read)
    assert errors["shift_mm"][~read].isnan().all() and errors["line_mm"][~read].isnan().all()
    assert float(errors["shift_mm"][read].mean()) < 0.25
    assert float(errors["line_mm"][read].max()) < 0.5
    # 3 frame pixels to the patient's left of the truth, seen by the maps alone
    wrong = perfect(batch)
    wrong.displacement, wrong.deformed = None, wrong.deformed - 3
    off = shift_errors(wrong, batch)["shift_mm"][read] / batch.mm[read]
    assert off == pytest.approx(torch.full_like(off, 3.0), abs=0.5)
    # a field that says nothing misses half of the shift, since the maps know it
    still = perfect(batch)
    still.displacement = torch.zeros_like(still.displacement)
    ends, shifted = batch.ends, batch.shifted
    along = ends[:, 1] - ends[:, 0]
    area = along[:, 0] * (shifted - ends[:, 0])[:, 1] - along[:, 1] * (shifted - ends[:, 0])[:, 0]
    true = (area.abs() / along.norm(dim=1) * batch.mm)[read]
    assert true.max() > 3
    assert shift_errors(still, batch)["shift_mm"][read] == pytest.approx(true / 2, abs=0.4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "pictures", "terms"),
    [
        ("diffusion", {"denoised", "samples"}, {"train/mse", "train/vb"}),
        (
            "deformation",
            {"fields", "pseudo_healthy"},
            {"train/image", "train/hinge", "train/field", "validation/shift_mm"},
        ),
    ],
)
def test_a_run_is_watched_and_shown_on_a_page(kind, pictures, terms, folder, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    data = {"data": [str(folder / "cohort")]}
    run(kind, folder, tmp_path, pictures_every=1, **data)
    assert {path.stem for path in (tmp_path / "pictures").glob("*.png")} == pictures
    for path in (tmp_path / "pictures").glob("*.png"):
        image = matplotlib.image.imread(path)
        assert min(image.shape[:2]) > 150 and image.std() > 0.1  # something is drawn
    events = EventAccumulator(str(tmp_path / "tensorboard"), {"images": 0})
    events.Reload()
    assert {image.step for name in pictures for image in events.Images(name)} == {3, 6}
    rows = read_validation_table(tmp_path)
    assert [row["step"] for row in rows] == [3, 6]
    assert terms | {"train/total", "validation/score", "learning_rate", "seconds"} <= rows[0].keys()
    page = (tmp_path / "summary.html").read_text(encoding="utf-8")
    summary = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 1 + len(pictures)
    assert 'src="pictures' not in page and "not a medical device" in page.lower()
    provenance = read_provenance(tmp_path)
    session = provenance["sessions"][0]
    assert session["packages"]["torch"] == torch.__version__ and session["step"] == 0
    assert len(session["git"]["revision"]) == 40 if session["git"] else True
    for text in (provenance["data"][0]["sha256"], torch.__version__, "max_steps", "6 of 6", "validation/score"):
        assert text in summary, text


def test_data_that_have_changed_are_not_gone_on_with(folder, tmp_path):
    cohort = draw_cohort(tmp_path / "cohort", 3)
    data = {"data": [str(cohort)]}
    run("pose", folder, tmp_path / "run", max_steps=3, **data)
    (cohort / "00007.partial.part").write_bytes(b"a case that is being made")
    run("pose", folder, tmp_path / "run", resume=True, max_steps=4, **data)
    assert [one["step"] for one in read_provenance(tmp_path / "run")["sessions"]] == [0, 3]
    before = digest(cohort)["sha256"]
    moved = cohort.rename(tmp_path / "elsewhere")
    assert digest(moved)["sha256"] == before
    contents = bytearray((moved / "00001.npz").read_bytes())
    contents[-100] ^= 1
    (moved / "00001.npz").write_bytes(contents)
    assert digest(moved)["sha256"] != before
    with pytest.raises(InputError, match="are not those that"):
        run("pose", folder, tmp_path / "run", resume=True, max_steps=6, data=[str(moved)])


def test_a_run_without_progress_ends_early_and_stays_ended(folder, tmp_path):
    # nothing is learned at this rate, so no check is better than the first
    still = {
        "learning_rate": 0.0,
        "weight_decay": 0.0,
        "check_every": 1,
        "max_steps": 9,
        "patience": 2,
        "ema_decay": 0.0,
    }
    stage = run("diffusion", folder, tmp_path, **still)
    assert stage.trainer.global_step == 3
    assert "ended earlier" in summary_text(tmp_path, read_validation_table(tmp_path), load_run_settings(tmp_path))
    again = run("diffusion", folder, tmp_path, resume=True, **still)
    assert again.trainer.global_step == 3
    more = run("diffusion", folder, tmp_path, resume=True, **still | {"patience": 4})
    assert more.trainer.global_step == 5


def test_the_patience_of_the_settings_counts():
    stop = StopEarly(5)
    stop.load_state_dict(StopEarly(2).state_dict())
    assert stop.patience == 5


def test_a_diverged_run_keeps_its_last_good_check(folder, tmp_path):
    settings = tiny_runs.settings_of("pose", folder)
    stage = tiny_runs.stage_of("pose", folder, settings)
    scores = iter([1.0, math.nan])
    stage.validation_score = lambda: next(scores)
    with pytest.raises(InputError, match="diverged"):
        train(stage, tmp_path, settings)
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["global_step"] == 3
    assert len(read_validation_table(tmp_path)) == 1


def test_earlier_checkpoints_are_pruned(folder, tmp_path):
    run("pose", folder, tmp_path, check_every=1, max_steps=5, earlier_checkpoints=2)
    kept = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert kept == ["step-0000003.ckpt", "step-0000004.ckpt", "step-0000005.ckpt"]
    run("pose", folder, tmp_path, resume=True, check_every=1, max_steps=7, earlier_checkpoints=2)
    kept = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert kept == ["step-0000005.ckpt", "step-0000006.ckpt", "step-0000007.ckpt"]


def test_a_folder_is_trained_by_one_process_at_a_time(folder, tmp_path):
    run("pose", folder, tmp_path, max_steps=3)
    with lock_run(tmp_path), pytest.raises(InputError, match="trained by another process"):
        run("pose", folder, tmp_path, resume=True)


def test_a_damaged_checkpoint_is_reported(folder, tmp_path):
    run("pose", folder, tmp_path, max_steps=3)
    (tmp_path / "last.ckpt").write_bytes((tmp_path / "last.ckpt").read_bytes()[:2000])
    with pytest.raises(InputError, match="is damaged"):
        run("pose", folder, tmp_path, resume=True)


def test_what_is_half_written_never_has_the_name(tmp_path):
    write_atomic(tmp_path / "file", lambda path: path.write_text("old"))

    def fail(path):
        path.write_text("ne")
        raise OSError

    with pytest.raises(OSError):
        write_atomic(tmp_path / "file", fail)
    assert (tmp_path / "file").read_text() == "old"


def test_the_averaged_copy_shares_the_data(folder):
    import copy

    stage = tiny_runs.stage_of("deformation", folder, tiny_runs.settings_of("deformation", folder))
    twin = copy.deepcopy(stage)
    assert twin.slices is stage.slices and twin.validation is stage.validation
    assert twin._denoisers[0] is stage._denoisers[0]
    own = dict(stage.network.named_parameters())
    assert all(
        own[name] is not value and torch.equal(own[name], value) for name, value in twin.network.named_parameters()
    )


def test_microbatches_of_a_step_average_to_the_whole_batch(folder):
    """The gradient of a step is the mean over its microbatches, whose numbers follow one another."""
    settings = tiny_runs.settings_of("diffusion", folder)
    stage = tiny_runs.stage_of("diffusion", folder, settings)
    batches = stage.training_batches(0, 4)
    assert not torch.equal(batches[0].x, batches[1].x)
    assert torch.equal(stage.training_batches(2, 2)[0].x, batches[2].x)


def test_the_summary_command(folder, tmp_path):
    run("pose", folder, tmp_path / "run", max_steps=3)
    (tmp_path / "run" / "summary.html").unlink()
    done = CliRunner().invoke(main, ["summary", str(tmp_path / "run")])
    assert done.exit_code == 0 and (tmp_path / "run" / "summary.html").is_file()
    (tmp_path / "run" / "validation.csv").unlink()
    result = CliRunner().invoke(main, ["summary", str(tmp_path / "run")])
    assert result.exit_code == 2 and "no check yet" in result.output


def test_a_start_that_fails_leaves_no_folder_that_it_made(tmp_path):
    (tmp_path / "there").mkdir()
    for run in ("new/run", "there"):
        with pytest.raises(ValueError), new_or_resumed(tmp_path / run, resume=False):
            (tmp_path / run / "settings.yaml").write_text("{}")
            raise ValueError
    assert [path.name for path in tmp_path.rglob("*")] == ["there"]


def test_durations_are_written_in_words():
    assert [duration(s) for s in (40, 700, 11_100)] == ["40 s", "12 min", "3 h 05 min"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "more", [{"channels_last": False}, {"fused_optimizer": True}, {"precision": "32-true"}, {"microbatches": 3}]
)
def test_settings_of_speed_train_the_same_task(more, folder, tmp_path):
    run("pose", folder, tmp_path, **more)
    assert getattr(load_run_settings(tmp_path), next(iter(more))) == next(iter(more.values()))
    assert math.isfinite(read_validation_table(tmp_path)[-1]["validation/score"])
