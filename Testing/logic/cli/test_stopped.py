"""A run that is stopped, politely or not, leaves no half result under a final name."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from child_path import python_path

PROGRAM = (
    "import sys, synthetic_case\n"
    "synthetic_case.install_fake_pipeline(step_seconds=float(sys.argv[1]))\n"
    "from MidlineShiftLogic.cli.main import main\n"
    "main(sys.argv[2:])\n"
)


def heed_interrupts():
    """A shell's background job, which a test run may be, hands down that Ctrl-C is to be ignored; a user's does not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(step_seconds, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(step_seconds), *map(str, arguments), "--device", "cpu"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": python_path()},
        preexec_fn=heed_interrupts if os.name == "posix" else None,
    )


def wait_for(condition, seconds=300):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.002)
    pytest.fail("it never came so far")


def hidden(out):
    return [path for path in out.iterdir() if path.name.startswith(".")] if out.is_dir() else []


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_asked_to_stop_it_cleans_up(scan, tmp_path, sent, code):
    process = start(1.0, "measure", scan, "--out", tmp_path / "out", "--json-lines")
    line = ""
    while '"measuring"' not in line:
        line = process.stdout.readline()
        assert line, process.stderr.read()
    process.send_signal(sent)
    _, err = process.communicate(timeout=300)
    assert process.returncode == code
    assert "Traceback" not in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("moment", range(4))
def test_killed_at_any_moment_of_writing(scan, tmp_path, moment):
    """SIGKILL once the unfinished folder holds 0, 1, 2 or 3 files; then the next run puts all right."""
    out = tmp_path / "out"
    process = start(0, "measure", scan, "--out", out)

    def far_enough():
        return process.poll() is not None or any(
            folder.is_dir() and len(list(folder.iterdir())) >= moment
            for folder in hidden(out)
            if "partial" in folder.name
        )

    wait_for(far_enough)
    process.kill()
    process.communicate()
    assert_whole(out)
    again = start(0, "measure", scan, "--out", out)
    again.communicate()
    assert again.returncode == 0
    assert [path.name for path in out.iterdir()] == ["head"]
    assert_whole(out)


def assert_whole(out):
    """What stands under a final name is a complete result."""
    for folder in out.iterdir():
        if folder.name.startswith("."):
            continue
        assert sorted(path.name for path in folder.iterdir()) == ["measurement.json", "overlay.png", "slices.png"]
        json.loads((folder / "measurement.json").read_text(encoding="utf-8"))
        for name in ("overlay.png", "slices.png"):
            assert (folder / name).read_bytes().endswith(b"IEND\xaeB\x60\x82")


def test_reader_of_our_output_goes_away(scan, tmp_path):
    process = start(0, "measure", scan, scan, "--out", tmp_path / "out")
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    process.wait(timeout=300)
    assert "Traceback" not in err and "BrokenPipe" not in err
