"""``midlineshift`` run in this process, as a fixture."""

import signal
from dataclasses import dataclass

import pytest

from MidlineShiftLogic.cli.main import main


@dataclass
class Outcome:
    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """What was said on stderr, which must be one line."""
        (line,) = self.err.strip().splitlines()
        return line


@pytest.fixture
def midlineshift(capsys):
    """The command, run in this process: ``midlineshift("measure", path, "--out", folder)`` -> ``Outcome``."""
    before = signal.getsignal(signal.SIGTERM)

    def run(*arguments) -> Outcome:
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        return Outcome(stop.value.code, *capsys.readouterr())

    yield run
    signal.signal(signal.SIGTERM, before)
