"""What is unfinished is removed however a run ends, and folders that a command made and left empty, too."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from MidlineShiftLogic import unfinished
from MidlineShiftLogic.reporting import case_folder
from MidlineShiftLogic.reporting.html import write as report_writer
from MidlineShiftLogic.review_app import readings
from MidlineShiftLogic.unfinished import host, remove_if_left_empty, remove_stale, unfinished_folder, unfinished_name


def entries(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def stop_behind(monkeypatch, owner, name, only=lambda *_arguments: True):
    """End the process right behind a call, as a signal that comes during the system call does."""
    real = getattr(owner, name)

    def call(*arguments, **options):
        result = real(*arguments, **options)
        if only(*arguments):
            raise SystemExit
        return result

    monkeypatch.setattr(owner, name, call)


def test_a_folder_becomes_the_final_one_or_nothing(tmp_path):
    final = tmp_path / "new" / "model"
    with pytest.raises(ValueError), unfinished_folder(final) as partial:
        (partial / "half").write_text("half")
        raise ValueError
    assert entries(tmp_path) == []
    with unfinished_folder(final) as partial:
        partial.rename(final)
    assert entries(tmp_path) == ["new", "new/model"]


def test_stopped_while_the_folder_is_made_leaves_nothing(tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    with monkeypatch.context() as patched:
        stop_behind(patched, Path, "mkdir", lambda path, *_: ".partial-" in path.name)
        with pytest.raises(SystemExit), unfinished_folder(tmp_path / "models" / "model"):
            pytest.fail("it was stopped before")
    assert entries(tmp_path) == ["models"]


def test_what_a_killed_process_left_of_the_same_goes_and_of_others_stays(tmp_path):
    dead = dead_pid()
    for name in (f".model.partial-{host()}-{dead}", f".other.partial-{host()}-{dead}", "mine"):
        (tmp_path / name).mkdir()
    with unfinished_folder(tmp_path / "model"):
        pass
    assert entries(tmp_path) == [f".other.partial-{host()}-{dead}", "mine"]
    (tmp_path / f".case.report.html.partial-{host()}-{dead}").write_text("a file, and not a folder")
    remove_stale(tmp_path)
    assert entries(tmp_path) == ["mine"]


def test_a_folder_that_cannot_be_listed_or_is_gone_stops_nobody(tmp_path, monkeypatch):
    remove_stale(tmp_path / "gone")
    reader = tmp_path / readings.REVIEWS_FOLDER / "Ada"
    reader.mkdir(parents=True)
    left = tmp_path / readings.REVIEWS_FOLDER / f".Bob.readings.csv.partial-{host()}-{dead_pid()}"
    left.write_text("half")
    real = Path.iterdir

    def iterdir(folder):
        if folder == reader:
            raise PermissionError(13, "Permission denied", str(folder))
        return real(folder)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    readings.remove_unfinished(tmp_path)
    assert not left.exists() and reader.is_dir()


def test_only_what_was_made_and_is_empty_is_removed(tmp_path):
    (tmp_path / "there").mkdir()
    for out, left in (("there", ["there"]), ("there/new/deep", ["there"]), ("new/deep", ["there"])):
        with pytest.raises(OSError), remove_if_left_empty(tmp_path / out):
            (tmp_path / out).mkdir(parents=True, exist_ok=True)
            raise OSError
        assert entries(tmp_path) == left
    with remove_if_left_empty(tmp_path / "a" / "b" / "c"):
        (tmp_path / "a" / "b" / "c").mkdir(parents=True)
        (tmp_path / "a" / "result").write_text("1")
    assert entries(tmp_path) == ["a", "a/result", "there"]
    for never in ("x" * 5000, "nul\0"):
        with remove_if_left_empty(tmp_path / never):
            pass


def test_another_run_may_remove_the_empty_folder_meanwhile(tmp_path):
    out = case_folder.result_parent(tmp_path / "out")
    out.rmdir()
    with case_folder.case_folder(out, "case") as folder:
        (folder / "measurement.json").write_text("{}")
    assert entries(tmp_path) == ["out", "out/case", "out/case/measurement.json"]


def test_another_run_may_remove_it_right_after_it_was_made(tmp_path, monkeypatch):
    real, removed = Path.mkdir, []

    def mkdir(path, *arguments, **options):
        real(path, *arguments, **options)
        if path.name == "out" and not removed:
            path.rmdir()
            removed.append(path)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "mkdir", mkdir)
        case_folder.result_parent(tmp_path / "out")
    assert entries(tmp_path) == ["out"]


def test_stopped_while_it_tries_to_write_leaves_nothing(tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        stop_behind(patched, Path, "mkdir", lambda path, *_: ".probe" in path.name)
        with pytest.raises(SystemExit):
            case_folder.result_parent(tmp_path)
    assert entries(tmp_path) == []


def test_stopped_while_the_old_result_is_moved_aside_puts_it_back(tmp_path, monkeypatch):
    (tmp_path / "case").mkdir()
    (tmp_path / "case" / "measurement.json").write_text("old")
    with (
        monkeypatch.context() as patched,
        pytest.raises(SystemExit),
        case_folder.case_folder(tmp_path, "case") as folder,
    ):
        (folder / "measurement.json").write_text("new")
        stop_behind(patched, os, "rename", lambda _source, target: ".old-" in str(target))
    assert entries(tmp_path) == ["case", "case/measurement.json"]
    assert (tmp_path / "case" / "measurement.json").read_text() == "old"


def test_stopped_while_a_report_is_opened_leaves_nothing(tmp_path, monkeypatch):
    (tmp_path / "case").mkdir()
    with monkeypatch.context() as patched:
        stop_behind(patched, report_writer.os, "open")
        with pytest.raises(SystemExit):
            report_writer._replace(tmp_path / "case" / "report.html", b"text", 0o644)
    assert entries(tmp_path) == ["case"]
    report_writer._replace(tmp_path / "case" / "report.html", b"text", 0o600)
    assert (tmp_path / "case" / "report.html").stat().st_mode & 0o777 == 0o600 or os.name == "nt"


def test_a_review_starts_without_what_a_killed_one_left(tmp_path):
    mark = f"partial-{host()}-{dead_pid()}"
    reader = tmp_path / readings.REVIEWS_FOLDER / "Ada"
    (reader / ".history" / "case").mkdir(parents=True)
    left = [
        reader.parent / f".Ada.readings.csv.{mark}",
        reader / f".case.measurement.json.{mark}",
        reader / ".history" / f".case.000001.json.{mark}",
    ]
    for path in left:
        path.write_text("half")
    aside = reader / f".case.{mark.replace('partial', 'old')}"
    aside.mkdir()
    (aside / "measurement.json").write_text("a reading")
    readings.remove_unfinished(tmp_path)
    assert not any(path.exists() for path in (*left, aside))
    assert (reader / "case" / "measurement.json").read_text() == "a reading"


def test_a_name_is_of_this_process_alone():
    assert unfinished_name("case") == f".case.partial-{unfinished.owner()}" and str(os.getpid()) in unfinished.owner()
