"""Work spread over processes and a local Dask cluster: the same results in the same order, whoever is killed."""

import csv
import os
import signal
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import spread_work
from child_path import python_path
from click.testing import CliRunner
from drawn_phantoms import draw_cohort

from midlineshift_training.cli.main import main
from midlineshift_training.distributed.generate_phantoms import generate_cases
from midlineshift_training.distributed.map_parallel import check_visible, map_parallel
from midlineshift_training.evaluation.jobs import PHANTOMS, THIS_MODEL, Job
from midlineshift_training.evaluation.measure_jobs import measure_jobs
from MidlineShiftLogic.errors import InputError

SAMPLES = Path(__file__).parents[3] / "Resources" / "SampleScans"


@pytest.fixture(scope="module")
def local_cluster():
    distributed = pytest.importorskip("distributed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", python_path())
        patch.setenv("OMP_NUM_THREADS", "1")
        with distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=0
        ) as local:
            yield local


@pytest.fixture
def cluster(local_cluster):
    """The cluster with two workers; whom a test before killed is replaced."""
    from distributed import TimeoutError as NotYet

    for _ in range(3):
        local_cluster.scale(2)
        try:
            local_cluster.wait_for_workers(2, timeout=120)
        except NotYet:
            local_cluster.scale(0)  # one that did not come up again is no worker, but counts as one
        else:
            return local_cluster
    pytest.fail("the cluster has no two workers")


@pytest.fixture(params=["processes", "cluster"])
def where(request):
    """Arguments of ``map_parallel``: two processes of this machine, or a cluster of two workers."""
    if request.param == "processes":
        return {"workers": 2}
    return {"cluster": request.getfixturevalue("cluster").scheduler_address}


@pytest.mark.slow
def test_results_come_once_and_in_order_though_a_worker_is_killed(where, tmp_path):
    found = list(map_parallel(partial(spread_work.square_once_killed, str(tmp_path)), range(8), **where))
    assert found == [number**2 for number in range(8)]
    assert (tmp_path / "calls-3").stat().st_size >= 2  # it was really killed, and done again


@pytest.mark.slow
def test_a_case_that_kills_every_worker_is_reported(where):
    # a cluster takes long to start a worker again; one item in one process would be worked on in this one
    with pytest.raises(InputError, match="killed 3 times"):
        list(map_parallel(spread_work.always_killed, range(2 if "workers" in where else 1), **where))


@pytest.mark.slow
def test_errors_of_the_work_come_through(where):
    with pytest.raises(InputError, match="Case 2 is no scan") as error:
        list(map_parallel(spread_work.refused, range(4), **where))
    assert error.value.code == "bad"


def test_one_worker_works_here():
    assert list(map_parallel(os.getpgid, [0, 0])) == [os.getpgid(0)] * 2


def test_a_cluster_whose_workers_are_gone_is_not_awaited_for_ever(monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr("midlineshift_training.distributed.map_parallel.CHECK_SECONDS", 0.1)
    monkeypatch.setattr("midlineshift_training.distributed.map_parallel.WORKERLESS_SECONDS", 0)
    with (
        distributed.LocalCluster(n_workers=0, processes=False, dashboard_address=None) as local,
        pytest.raises(InputError, match="no worker"),
    ):
        list(map_parallel(spread_work.refused, [1], cluster=local.scheduler_address))


@pytest.mark.slow
def test_a_cluster_that_is_not_there_or_does_not_see_the_data_is_reported(cluster, tmp_path):
    with pytest.raises(InputError, match="No Dask scheduler answers"):
        list(map_parallel(spread_work.refused, [1], cluster="nowhere"))
    with pytest.raises(InputError, match="does not see"):
        check_visible(cluster.scheduler_address, [tmp_path / "absent"])
    check_visible(cluster.scheduler_address, [tmp_path])


@pytest.mark.slow
def test_phantoms_are_the_same_from_a_cluster_that_loses_a_worker(cluster, tmp_path):
    worker, killed = next(iter(cluster.workers.values())).pid, []

    def kill_one():
        deadline = time.monotonic() + 300
        while not killed and time.monotonic() < deadline:
            if list((tmp_path / "spread").glob("*.part")):
                os.kill(worker, signal.SIGKILL)
                killed.append(worker)
            time.sleep(0.02)

    killer = threading.Thread(target=kill_one)
    killer.start()
    made = generate_cases(tmp_path / "spread", 2, 4, 1, cluster.scheduler_address)
    killer.join()
    assert killed, "in the middle of a phantom"
    alone = generate_cases(tmp_path / "alone", 2, 4, 1)
    assert sorted(path.name for path in (tmp_path / "spread").iterdir()) == [path.name for path in alone]
    for ours, theirs in zip(made, alone, strict=True):
        with np.load(ours) as a, np.load(theirs) as b:
            assert a.files == b.files
            assert all(
                np.array_equal(a[name], b[name], equal_nan=True) for name in a.files if a[name].dtype.kind == "f"
            )
            assert np.array_equal(a["hu"], b["hu"])


@pytest.mark.slow
def test_cases_are_measured_alike_on_a_cluster(cluster, tmp_path):
    folder = draw_cohort(tmp_path / "cohort", 3)
    jobs = [Job(PHANTOMS, path, path.stem) for path in sorted(folder.glob("*.npz"))]
    plain = [list(measure_jobs(jobs, {THIS_MODEL: None}, 1, where)) for where in (None, cluster.scheduler_address)]
    numbers = [[(r.case, r.truth_mm, r.measured_mm, r.refused) for one in p for r in one.results] for p in plain]
    assert len(numbers[0]) == 3
    assert numbers[0] == numbers[1]


@pytest.mark.slow
def test_the_command_measures_a_folder_of_scans_and_goes_on(cluster, tmp_path):
    scans = tmp_path / "scans"
    scans.mkdir()
    for path in SAMPLES.glob("*.nii.gz"):
        (scans / path.name).symlink_to(path)
    (scans / "broken.nii.gz").write_bytes(b"no scan")
    arguments = ["measure", "--scans", str(scans), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(main, [*arguments, "--cluster", cluster.scheduler_address])
    assert done.exit_code == 2, done.output  # the broken one's
    assert "broken  error:" in done.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        ".results.csv.lock", "results.csv", "sample_shifted", "sample_unshifted",
    ]  # fmt: skip
    assert statuses(tmp_path / "out") == {
        "broken": "error",
        "sample_shifted": "measured",
        "sample_unshifted": "measured",
    }
    assert {"measurement.json", "overlay.png"} <= {p.name for p in (tmp_path / "out" / "sample_shifted").iterdir()}
    before = (tmp_path / "out" / "sample_shifted" / "measurement.json").stat().st_mtime_ns
    again = CliRunner().invoke(main, [*arguments, "--resume"])
    assert again.exit_code == 2
    assert "2 results kept, 1 scan to measure" in again.output
    assert (tmp_path / "out" / "sample_shifted" / "measurement.json").stat().st_mtime_ns == before


def statuses(out):
    with (out / "results.csv").open(encoding="utf-8", newline="") as stream:
        return {row["case"]: row["status"] for row in csv.DictReader(stream)}


def test_results_of_before_there_was_a_table_are_kept_and_get_rows(tmp_path):
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "sample.nii.gz").symlink_to(SAMPLES / "sample_shifted.nii.gz")
    arguments = ["measure", "--scans", str(tmp_path / "scans"), "--out", str(tmp_path / "out")]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    assert not (tmp_path / "out" / "results.csv").exists()
    again = CliRunner().invoke(main, [*arguments, "--resume"])
    assert again.exit_code == 0 and "1 result kept, 0 scans to measure" in again.output
    assert statuses(tmp_path / "out") == {"sample_shifted": "measured"}


def test_phantoms_that_cannot_be_made_leave_no_folder(tmp_path):
    """The cluster's address is wrong: it is found out after the folder was made."""
    with pytest.raises(InputError):
        generate_cases(tmp_path / "new" / "phantoms", 1, 0, 1, cluster="nonsense")
    assert not (tmp_path / "new").exists()
