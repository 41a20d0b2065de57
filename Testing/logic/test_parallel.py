"""Mapping over processes: order, deaths, errors."""

import os
import subprocess
import sys
import threading
import time
from functools import partial

import pytest
import spread_work

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.parallel import map_parallel


def test_one_worker_works_in_this_process():
    started = []
    assert list(map_parallel(lambda number: (number, os.getpid()), [1, 2], on_start=started.append)) == [
        (1, os.getpid()),
        (2, os.getpid()),
    ]
    assert started == [1, 2]


@pytest.mark.slow
def test_results_keep_their_order_or_come_as_they_are_ready(tmp_path):
    go = tmp_path / "go"
    work = partial(spread_work.first_waits_for, str(go))
    ready = map_parallel(work, range(4), 2, ordered=False)
    assert sorted(next(ready) for _ in range(3)) == [1, 2, 3]
    go.touch()
    assert list(ready) == [0]
    go.unlink()
    timer = threading.Timer(0.5, go.touch)  # whenever it comes: the first result is waited for
    timer.start()
    assert list(map_parallel(work, range(4), 2)) == [0, 1, 2, 3]
    timer.join()


@pytest.mark.slow
def test_an_item_that_kills_its_process_costs_only_itself():
    started = []
    found = map_parallel(
        spread_work.killed_by_two,
        range(5),
        2,
        attempts=1,
        on_start=started.append,
        on_death=lambda item, how: (item, how),
    )
    assert list(found) == [0, 1, (2, "SIGKILL"), 3, 4]
    assert started == list(range(5))


@pytest.mark.slow
def test_an_error_shows_where_it_arose_in_the_other_process():
    with pytest.raises(InputError, match="Case 2") as raised:
        list(map_parallel(spread_work.refused, range(4), 2))
    assert raised.value.code == "bad" and "spread_work.py" in str(raised.value.__cause__)


@pytest.mark.slow
def test_processes_end_with_their_caller():
    results = map_parallel(spread_work.own_process, range(40), 2)
    process = next(results)
    results.close()
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise AssertionError("a worker outlived the map")


@pytest.mark.slow
def test_processes_end_without_a_word(capfd):
    """Processes whose exit hooks still run when they are asked to end print no traceback."""
    assert list(map_parallel(spread_work.slow_to_exit, range(2), 2)) == [0, 1]
    assert capfd.readouterr().err == ""


def test_a_second_signal_does_not_interrupt_the_clean_up():
    code = """if True:
        import os, signal, sys
        from MidlineShiftLogic import parallel
        signal.signal(signal.SIGTERM, parallel._terminate)
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            print("cleaned")
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (143, "cleaned\n", "")
