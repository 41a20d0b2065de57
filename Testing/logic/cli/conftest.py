import signal
import sys
from dataclasses import dataclass

import pytest
import synthetic_case
from scan_files import save_nifti

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


@pytest.fixture
def fake_pipeline(monkeypatch):
    """Real reading and checks, stand-ins for model and networks; the list of model choices that were loaded."""
    opened = []
    synthetic_case.install_fake_pipeline(
        lambda name, module: monkeypatch.setitem(sys.modules, name, module), 8.0, 0.0, opened
    )
    return opened


@pytest.fixture(scope="session")
def head_hu():
    """(slice, row, column) HU of a head that passes every check; 5 x 0.9 x 0.9 mm."""
    return synthetic_case.drawn_head(8.0, (32, 256, 224), (5.0, 0.9, 0.9)).hu


@pytest.fixture
def scan(tmp_path, head_hu):
    return save_nifti(tmp_path / "head.nii.gz", head_hu)
