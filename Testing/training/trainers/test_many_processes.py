"""Two processes (gloo, CPU) do what one does with the same microbatches, to rounding, for every stage."""

import os
import subprocess
import sys

import pytest
import tiny_runs
import torch
import yaml
from child_path import python_path
from drawn_phantoms import draw_cohort
from ports import free_port
from safetensors.torch import load_file

from midlineshift_training.trainers.callbacks.validation_table import read_validation_table
from midlineshift_training.trainers.deterministic_sampler import MicrobatchShare
from midlineshift_training.trainers.processes import Processes, find_processes
from MidlineShiftLogic.errors import InputError

KINDS = ("pose", "diffusion", "deformation", "landmarks")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    draw_cohort(folder / "cohort", 4)
    for seed, name in enumerate(("con", "unc")):
        tiny_runs.write_denoiser(folder / name, seed)
    return folder


@pytest.fixture(scope="module")
def one_process(folder, tmp_path_factory):
    """``one_process(kind)``: the folder of a run of one process that takes two microbatches a step; made once."""
    out = tmp_path_factory.mktemp("one")

    def run(kind):
        if not (out / kind).exists():
            tiny_runs.run(kind, folder, out / kind, more={"precision": "32-true", "microbatches": 2})
        return out / kind

    return run


@pytest.fixture(scope="module")
def two_processes(folder, tmp_path_factory):
    """What torchrun said, and the folder of its runs: one of each kind, and ``killed``, which ends the processes."""
    out = tmp_path_factory.mktemp("two")
    command = "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", tiny_runs.__file__
    return launch(*command, folder, out, "step 4", *KINDS), out


def launch(*command):
    env = os.environ | {"PYTHONPATH": python_path(), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run([sys.executable, *map(str, command)], env=env, capture_output=True, text=True, timeout=1200)


def distance(a: dict, b: dict, start: dict) -> float:
    """How far apart two networks are, relative to how far training has moved them: the larger of that of the weights and
    that of the running statistics of batch normalisation."""
    found = []
    for statistics in (False, True):
        names = [name for name in a if a[name].is_floating_point() and ("running_" in name) == statistics]
        if names:
            apart = sum(float((a[name] - b[name]).square().sum()) for name in names)
            moved = sum(float((a[name] - start[name]).square().sum()) for name in names)
            found.append((apart / moved) ** 0.5)
    return max(found)


@pytest.mark.slow
def test_two_processes_train_what_one_does(folder, one_process, two_processes, tmp_path):
    done, out = two_processes
    assert done.stderr.count("step 6 of 6") == len(KINDS), done.stderr[-3000:]  # printed once, not by each process
    for kind in KINDS:
        runs = one_process(kind), out / kind
        weights = [load_file(run / "best.safetensors") for run in runs]
        start = tiny_runs.stage_of(kind, folder, tiny_runs.settings_of(kind, folder)).network.state_dict()
        assert distance(*weights, start) < 1e-3, kind
        rows = [read_validation_table(run) for run in runs]
        for one, two in zip(*rows, strict=True):
            assert one.keys() == two.keys()
            for name in one.keys() - {"seconds"}:
                assert two[name] == pytest.approx(one[name], rel=1e-3, abs=1e-4), (kind, name)
        assert yaml.safe_load((out / kind / "settings.yaml").read_text())["microbatches"] == 2
    # one microbatch a step is another run: the test above could fail
    tiny_runs.run("pose", folder, tmp_path / "other", more={"precision": "32-true"})
    start = tiny_runs.stage_of("pose", folder, tiny_runs.settings_of("pose", folder)).network.state_dict()
    other = load_file(tmp_path / "other" / "best.safetensors")
    assert distance(load_file(one_process("pose") / "best.safetensors"), other, start) > 0.1


@pytest.mark.slow
def test_one_process_goes_on_where_two_were_killed(folder, one_process, two_processes):
    done, out = two_processes
    assert done.returncode != 0
    state = torch.load(out / "killed" / "last.ckpt", weights_only=True)
    assert state["global_step"] == 3
    tiny_runs.run("pose", folder, out / "killed", resume=True, more={"precision": "32-true", "microbatches": 2})
    weights = [load_file(run / "best.safetensors") for run in (one_process("pose"), out / "killed")]
    start = tiny_runs.stage_of("pose", folder, tiny_runs.settings_of("pose", folder)).network.state_dict()
    assert distance(*weights, start) < 1e-3


@pytest.mark.slow
def test_two_tasks_of_a_slurm_job_train_what_one_process_does(folder, one_process, tmp_path):
    """No scheduler here: two processes get the variables that srun gives to the tasks of a job."""
    port = free_port()
    job = {
        "SLURM_JOB_ID": str(port),
        "SLURM_JOB_NAME": "train",
        "SLURM_NNODES": "1",
        "SLURM_NTASKS": "2",
        "SLURM_NTASKS_PER_NODE": "2",
        "SLURM_NODELIST": "localhost",
        "SLURM_NODEID": "0",
        "MASTER_PORT": str(port),
        "PYTHONPATH": python_path(),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, tiny_runs.__file__, str(folder), str(tmp_path / "two"), "", "pose"]
    tasks = [
        subprocess.Popen(
            command,
            env=os.environ | job | {"SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    said = [task.communicate(timeout=1200)[1] for task in tasks]
    assert [task.returncode for task in tasks] == [0, 0], said[0][-3000:]
    assert ["step 6 of 6" in text for text in said] == [True, False]
    weights = [load_file(run / "best.safetensors") for run in (one_process("pose"), tmp_path / "two" / "pose")]
    start = tiny_runs.stage_of("pose", folder, tiny_runs.settings_of("pose", folder)).network.state_dict()
    assert distance(*weights, start) < 1e-3


@pytest.mark.slow
def test_the_command_starts_its_processes_itself(folder, tmp_path):
    settings = {n: v for n, v in tiny_runs.READING.items() if n != "max_steps"}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(settings))
    command = ["pose", "--data", folder / "cohort", "--out", tmp_path / "run", "--config", tmp_path / "tiny.yaml"]
    done = launch(
        "-m", "midlineshift_training.cli.main", *command, "--max-steps", "3", "--devices", "2", "--threads", "1"
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip() == str(tmp_path / "run" / "best.safetensors")
    assert yaml.safe_load((tmp_path / "run" / "settings.yaml").read_text())["microbatches"] == 2


def test_every_microbatch_is_made_once_and_in_the_same_step():
    shares = [MicrobatchShare(6, 3, rank) for rank in range(3)]
    for step in (0, 1):
        made = [share.number(10, step * share.own + place) for share in shares for place in range(share.own)]
        assert sorted(made) == [(10 + step) * 6 + k for k in range(6)]
    assert [MicrobatchShare().number(7, k) for k in range(3)] == [7, 8, 9]


def test_processes_that_cannot_share_a_step_are_refused():
    assert Processes(devices=2, machines=2).share(None).microbatches == 4
    with pytest.raises(InputError, match="cannot share the 2 microbatches"):
        Processes(devices=3).share(2)


def test_what_a_launcher_started_is_found(monkeypatch):
    for name, value in {"TORCHELASTIC_RUN_ID": "1", "LOCAL_WORLD_SIZE": "4", "WORLD_SIZE": "8"}.items():
        monkeypatch.setenv(name, value)
    assert find_processes() == Processes("auto", 4, 2)
    with pytest.raises(InputError, match="contradicts"):
        find_processes(devices=2)
    for name in ("TORCHELASTIC_RUN_ID", "LOCAL_WORLD_SIZE", "WORLD_SIZE"):
        monkeypatch.delenv(name)
    assert find_processes(devices=2) == Processes("auto", 2, 1)
    slurm = {
        "SLURM_NTASKS": "6",
        "SLURM_NNODES": "3",
        "SLURM_JOB_NAME": "train",
        "SLURM_JOB_ID": "7",
        "SLURM_PROCID": "0",
    }
    for name, value in slurm.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match="ntasks-per-node"):
        find_processes()
    monkeypatch.setenv("SLURM_NTASKS_PER_NODE", "2")
    found = find_processes()
    assert found == Processes("auto", 2, 3)
    assert not found.trainer_arguments()["plugins"][0].auto_requeue
