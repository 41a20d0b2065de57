"""A log gets a line a minute and no bar; a terminal gets the bar."""

import io
import sys

from midlineshift_training.datasets import show_progress as module
from midlineshift_training.datasets.show_progress import show_progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_log_gets_a_line_a_minute(monkeypatch, capsys):
    clock = iter(range(0, 10_000, 25))
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    assert list(show_progress(iter("abcdef"), 6, "cases")) == list("abcdef")
    lines = capsys.readouterr().err.splitlines()
    assert lines and all(line.startswith("cases: ") and line.endswith(" of 6") for line in lines)
    assert len(lines) < 6, "not a line a case"


def test_a_quick_run_says_nothing(capsys):
    assert list(show_progress([1, 2], 2, "cases")) == [1, 2]
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert list(show_progress([1, 2], 2, "cases")) == [1, 2]
    assert "cases: 100%" in sys.stderr.getvalue()
