"""A result folder appears whole or not at all, and never costs the user a file of theirs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.reporting import case_folder as module
from MidlineShiftLogic.reporting.case_folder import case_folder, remove_stale, result_parent
from MidlineShiftLogic.unfinished import host, owner


def entries(folder):
    return sorted(path.name for path in folder.iterdir())


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_appears_only_when_complete(tmp_path):
    with case_folder(tmp_path, "case") as folder:
        (folder / "measurement.json").write_text("new")
        assert not (tmp_path / "case").exists()
    assert entries(tmp_path) == ["case"]
    assert entries(tmp_path / "case") == ["measurement.json"]


@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt, SystemExit])
def test_failing_writer_leaves_nothing_and_keeps_the_old(tmp_path, stop):
    (tmp_path / "case").mkdir()
    (tmp_path / "case" / "measurement.json").write_text("old")
    with pytest.raises(stop), case_folder(tmp_path, "case") as folder:
        (folder / "measurement.json").write_text("half")
        raise stop
    assert entries(tmp_path) == ["case"]
    assert (tmp_path / "case" / "measurement.json").read_text() == "old"


def test_stopped_while_its_folder_is_made_leaves_nothing(tmp_path, monkeypatch):
    """A signal that came during the system call is handled right behind it."""
    make = Path.mkdir

    def make_and_stop(self, *arguments, **options):
        make(self, *arguments, **options)
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(Path, "mkdir", make_and_stop)
        with pytest.raises(SystemExit), case_folder(tmp_path, "case"):
            pytest.fail("it was stopped before")
    assert entries(tmp_path) == []


def test_replaces_an_older_result_as_a_whole(tmp_path):
    (tmp_path / "case").mkdir()
    for name in ("measurement.json", "overlay.png", "slices.png"):
        (tmp_path / "case" / name).write_text("old")
    with case_folder(tmp_path, "case") as folder:
        (folder / "measurement.json").write_text("refused now")
    assert entries(tmp_path) == ["case"]
    assert entries(tmp_path / "case") == ["measurement.json"]


def test_never_replaces_a_folder_with_other_files(tmp_path):
    (tmp_path / "series").mkdir()
    (tmp_path / "series" / "IM0001").write_text("the scan itself")
    with pytest.raises(InputError, match="IM0001"), case_folder(tmp_path, "series"):
        pytest.fail("must be refused before anything is written")
    assert (tmp_path / "series" / "IM0001").read_text() == "the scan itself"


def test_never_replaces_a_file(tmp_path):
    (tmp_path / "case").write_text("mine")
    with pytest.raises(InputError, match="in the way"), case_folder(tmp_path, "case"):
        pass
    assert (tmp_path / "case").read_text() == "mine"


def test_leavings_of_dead_runs_are_cleared_and_those_of_living_ones_kept(tmp_path):
    dead = dead_pid()
    alive = os.getppid()
    for name in (
        f".a.partial-{host()}-{dead}",
        f".b.partial-{host()}-{alive}",
        f".c.partial-elsewhere-{dead}",
        ".mine",
    ):
        (tmp_path / name).mkdir()
    remove_stale(tmp_path)
    assert entries(tmp_path) == sorted([f".b.partial-{host()}-{alive}", f".c.partial-elsewhere-{dead}", ".mine"])


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux tells the state of a process in a file")
def test_a_process_that_nobody_asks_how_it_ended_is_dead(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    try:
        process.stdout.read()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and keeps its number
        os.kill(process.pid, 0)
        (tmp_path / f".case.partial-{host()}-{process.pid}").mkdir()
        remove_stale(tmp_path)
        assert entries(tmp_path) == []
    finally:
        process.communicate()


def test_result_moved_aside_by_a_killed_run_comes_back(tmp_path):
    aside = tmp_path / f".case.old-{host()}-{dead_pid()}"
    aside.mkdir()
    (aside / "measurement.json").write_text("old")
    remove_stale(tmp_path)
    assert (tmp_path / "case" / "measurement.json").read_text() == "old"
    assert entries(tmp_path) == ["case"]


def test_output_that_cannot_be_written_is_reported(tmp_path):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match="Cannot write results"):
            result_parent(out)
    assert entries(result_parent(tmp_path / "new" / "deep")) == []


def test_what_file_managers_leave_does_not_keep_a_result_from_being_replaced(tmp_path):
    for text in ("old", "new"):
        with case_folder(tmp_path, "case") as folder:
            (folder / "measurement.json").write_text(text)
        (tmp_path / "case" / ".DS_Store").touch()
    assert (tmp_path / "case" / "measurement.json").read_text() == "new"


@pytest.mark.parametrize("content", ["", "[]", '{"review": {"who": "?"}}', '{"slices": 3}'])
def test_nonsense_is_nobodys_work(tmp_path, content):
    (tmp_path / "measurement.json").write_text(content)
    module.refuse_readers_work(tmp_path)


WRITE_OFTEN = """
import sys
from pathlib import Path
from MidlineShiftLogic.reporting.case_folder import case_folder
for number in range(int(sys.argv[2])):
    with case_folder(Path(sys.argv[1]), "case") as folder:
        (folder / "measurement.json").write_text(sys.argv[3])
        (folder / "overlay.png").write_text(sys.argv[3])
"""


def test_two_processes_at_one_case_leave_one_whole_result(tmp_path):
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITE_OFTEN, str(tmp_path), "150", name], stderr=subprocess.PIPE)
        for name in ("one", "two")
    ]
    for writer in writers:
        assert writer.wait(900) == 0, writer.stderr.read().decode()
    assert entries(tmp_path) == ["case"]
    assert entries(tmp_path / "case") == ["measurement.json", "overlay.png"]
    assert len({path.read_text() for path in (tmp_path / "case").iterdir()}) == 1


def test_what_an_earlier_failure_left_does_not_block_the_case(tmp_path):
    aside = tmp_path / f".case.old-{owner()}"
    for folder in (tmp_path / "case", aside):
        folder.mkdir()
        (folder / "measurement.json").write_text("old")
    with case_folder(tmp_path, "case") as folder:
        (folder / "measurement.json").write_text("new")
    assert (tmp_path / "case" / "measurement.json").read_text() == "new"


def test_a_result_that_cannot_be_placed_leaves_the_old_one(tmp_path, monkeypatch):
    (tmp_path / "case").mkdir()
    (tmp_path / "case" / "measurement.json").write_text("old")
    real = os.rename

    def rename(source, target):
        if ".partial-" in str(source):
            raise OSError(5, "Input/output error")
        real(source, target)

    monkeypatch.setattr(module, "MAX_RENAMES", 3)
    with pytest.raises(OSError, match="Input/output"), case_folder(tmp_path, "case") as folder:
        (folder / "measurement.json").write_text("new")
        monkeypatch.setattr(module.os, "rename", rename)
    monkeypatch.setattr(module.os, "rename", real)
    assert entries(tmp_path) == ["case"]
    assert (tmp_path / "case" / "measurement.json").read_text() == "old"
