"""The real panel in the host; an exception in any slot or observer fails the test that caused it."""

from __future__ import annotations

import hashlib
import sys
import traceback
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "MidlineShift"))  # as Slicer has it, also for a test that loads no module


def pytest_configure(config):
    # Qt 5 and 6 both have it, and so has PythonQt; what replaces it in Qt 6, Qt 5 has not.
    config.addinivalue_line("filterwarnings", "ignore:Function. 'QMouseEvent.pos:DeprecationWarning")


@pytest.fixture(autouse=True, scope="session")
def checks_remembered():
    """The checks of a scan are a third of most tests' time, and most tests have one of two heads: each is checked once."""
    from MidlineShiftLogic.headct import checks

    known: dict[str, list] = {}
    check_anew = checks._all_flags

    def flags(ct) -> list:
        numbers = (ct.hu, ct.origins, ct.column_axis, ct.row_axis, ct.thickness, np.array(ct.pixel_spacing))
        key = hashlib.sha256(b"".join([np.ascontiguousarray(one).tobytes() for one in numbers])).hexdigest()
        if key not in known:
            known[key] = check_anew(ct)
        return list(known[key])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checks, "_all_flags", flags)
        yield


@pytest.fixture(autouse=True)
def failures(monkeypatch):
    """Exceptions that Qt or VTK would only print; none may be left when the test ends."""
    caught: list[str] = []
    monkeypatch.setattr(
        sys, "excepthook", lambda kind, error, trace: caught.append("".join(traceback.format_exception(error)))
    )
    yield caught
    assert not caught, "\n".join(caught)


@pytest.fixture
def host(tmp_path):
    """A host with an empty scene."""
    pytest.importorskip("PySide6")
    from host.application import Host

    host = Host(tmp_path)
    yield host
    host.close()
