"""What a killed Slicer leaves behind is deleted at the next start, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from MidlineShiftLib.services import run_folder
from MidlineShiftLib.services.run_folder import LOCK, OLD_SECONDS, PREFIX, RunFolder, removeStaleFolders
from panel_fixture import PanelFixture

MODULE = Path(__file__).parents[2] / "MidlineShift"
CODE = """
import sys, time
sys.path.insert(0, sys.argv[1])
from MidlineShiftLib.services.run_folder import RunFolder
folder = RunFolder()
(folder.path / "scan.npz").write_bytes(b"a patient's head")
print(folder.path, flush=True); time.sleep(300)
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """A folder of its own for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture
def other_slicer():
    """Another process that is in the middle of a run: (process, its folder)."""
    process = subprocess.Popen([sys.executable, "-c", CODE, str(MODULE)], stdout=subprocess.PIPE, text=True)
    yield process, Path(process.stdout.readline().strip())
    process.kill()
    process.wait()
    process.stdout.close()


def make_old(folder: Path) -> None:
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (1, 1))


def test_only_the_folders_of_killed_processes_go(other_slicer, temporary):
    process, folder = other_slicer
    make_old(folder)
    assert removeStaleFolders() == [] and folder.is_dir(), "a long run of another Slicer"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (folder / "scan.npz").is_file(), "it could not clear up"
    (folder / "scan.npz").touch()
    assert removeStaleFolders() == [], f"changed less than {OLD_SECONDS} s ago: its child may still work in it"
    make_old(folder)
    assert removeStaleFolders() == [folder] and not list(temporary.iterdir())


def test_what_is_not_of_this_module_or_user_stays(temporary, monkeypatch):
    unmarked, elsewhere = temporary / f"{PREFIX}other", temporary.parent / "elsewhere"
    for folder in (unmarked, elsewhere, temporary / "midlineshift-of-somebody"):
        folder.mkdir()
        (folder / "file").touch()
    (elsewhere / LOCK).touch()
    (temporary / f"{PREFIX}link").symlink_to(elsewhere, target_is_directory=True)
    mine = temporary / f"{PREFIX}mine"
    mine.mkdir()
    (mine / LOCK).touch()
    if hasattr(os, "getuid"):
        user = os.getuid()
        monkeypatch.setattr(run_folder.os, "getuid", lambda: user + 1)
        assert removeStaleFolders(0) == []
        monkeypatch.undo()
        monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    assert removeStaleFolders(0) == [mine]
    assert {path.name for path in temporary.iterdir()} == {unmarked.name, f"{PREFIX}link", "midlineshift-of-somebody"}
    assert (elsewhere / "file").is_file()


def test_a_folder_without_its_lock_yet_goes_when_it_is_old_and_empty(temporary):
    empty, full = temporary / f"{PREFIX}empty", temporary / f"{PREFIX}full"
    for folder in (empty, full):
        folder.mkdir()
    (full / "file").touch()
    assert removeStaleFolders() == [], "its Slicer may be about to make the lock"
    make_old(empty)
    make_old(full)
    assert removeStaleFolders() == [empty] and list(temporary.iterdir()) == [full]


def test_an_own_run_is_in_use_until_it_is_removed(temporary):
    folder = RunFolder()
    assert removeStaleFolders(0) == []
    folder.remove()
    assert not list(temporary.iterdir())


def test_slicers_start_clears_up(host, temporary):
    left = temporary / f"{PREFIX}left"
    left.mkdir()
    (left / LOCK).touch()
    make_old(left)
    PanelFixture(host)
    assert not left.exists()
