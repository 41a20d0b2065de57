"""kill -9 at any moment costs what was done since the last check, and changes nothing: all that lasts is bit for bit that
of a run that was left alone."""

import multiprocessing
import os
import signal
import sys
from multiprocessing import forkserver

import pytest
import tiny_runs
import torch
from drawn_phantoms import draw_cohort
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from midlineshift_training.trainers.callbacks.validation_table import read_validation_table

# One chain of deaths; each process goes on where the one before it died.
EVERY_MOMENT = (
    "step 1", "half-best 3", "after-best 3", "after-checks 3", "half-checkpoint 3", "after-checkpoint 3", "step 4",
    "half-checkpoint 6", "after-checkpoint 6",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    draw_cohort(folder / "cohort", 4)
    for seed, name in enumerate(("con", "unc")):
        tiny_runs.write_denoiser(folder / name, seed)
    return folder


@pytest.fixture(scope="module")
def processes():
    """Processes that are forked from one that has imported everything, which takes longer than the runs themselves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))  # the code under test, wherever it is
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["tiny_runs"])
        forkserver.ensure_running()
    return context


def in_process(processes, *arguments) -> int:
    """Exit code of ``tiny_runs.run`` in a process of its own."""
    child = processes.Process(target=tiny_runs.run, args=arguments)
    child.start()
    child.join(600)
    return child.exitcode


def differences(a, b, where="") -> list[str]:
    """Names of what differs between two checkpoints; the seconds of a run are nobody's business."""
    if isinstance(a, torch.Tensor):
        return [] if a.dtype == b.dtype and torch.equal(a, b) else [where]
    if isinstance(a, dict):
        assert a.keys() == b.keys(), where
        return [name for key in a if key != "seconds" for name in differences(a[key], b[key], f"{where}/{key}")]
    if isinstance(a, (list, tuple)):
        assert len(a) == len(b), where
        return [name for k, pair in enumerate(zip(a, b, strict=True)) for name in differences(*pair, f"{where}/{k}")]
    return [] if a == b or (a != a and b != b) else [where]


def lasting(run):
    """The checkpoint without the paths of its own folder and without two of Lightning's counts that nothing here uses: of
    epochs begun, and of steps for ``self.log`` (``MetricLogger`` logs at the run's own step)."""
    state = torch.load(run / "last.ckpt", weights_only=True)
    del state["loops"]["fit_loop"]["epoch_progress"]
    del state["loops"]["fit_loop"]["epoch_loop.state_dict"]["_batches_that_stepped"]
    state["callbacks"] = {name: value for name, value in state["callbacks"].items() if "ModelCheckpoint" not in name}
    return state


def logged(run):
    """(step, value) of what TensorBoard shows of a run."""
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    return {
        name: [(one.step, one.value) for one in events.Scalars(name)]
        for name in ("train/total", "learning_rate", "validation/score")
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "moments"),
    [
        ("pose", EVERY_MOMENT),
        ("diffusion", ("half-checkpoint 3", "step 4")),
        ("deformation", ("step 4", "half-checkpoint 6")),
        ("landmarks", ("half-checkpoint 3", "step 5")),
    ],
)
def test_a_run_killed_at_any_moment_ends_as_one_left_alone(kind, moments, folder, processes, tmp_path):
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    assert in_process(processes, kind, folder, straight) == 0
    for number, moment in enumerate(moments):
        assert in_process(processes, kind, folder, killed, moment, number > 0) == -signal.SIGKILL, moment
    assert in_process(processes, kind, folder, killed, "", True) == 0
    states = [lasting(run) for run in (straight, killed)]
    # a checkpoint holds everything that a run goes on with
    needed = {"state_dict", "current_model_state", "averaging_state", "optimizer_states", "lr_schedulers", "callbacks"}
    assert needed <= states[0].keys()
    assert states[0]["global_step"] == 6
    assert not differences(*states)
    best = [load_file(run / "best.safetensors") for run in (straight, killed)]
    assert not differences(*best)
    assert logged(straight) == logged(killed)
    rows = [
        [{n: v for n, v in row.items() if n != "seconds"} for row in read_validation_table(r)]
        for r in (straight, killed)
    ]
    assert [row["step"] for row in rows[0]] == [3, 6]
    assert rows[0] == rows[1]
    assert not list(killed.rglob("*.partial"))


@pytest.mark.slow
def test_a_kill_costs_no_more_than_the_steps_since_the_last_check(folder, processes, tmp_path):
    assert in_process(processes, "pose", folder, tmp_path / "run", "step 5") == -signal.SIGKILL
    assert lasting(tmp_path / "run")["global_step"] == 3


def test_what_differs_is_found():
    a = {"x": torch.zeros(2), "y": [1, {"seconds": 3}]}
    assert not differences(a, {"x": torch.zeros(2), "y": [1, {"seconds": 4}]})
    assert differences(a, {"x": torch.ones(2), "y": [2, {"seconds": 3}]}) == ["/x", "/y/0"]
