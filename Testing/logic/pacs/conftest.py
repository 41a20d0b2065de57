import pytest
from command import midlineshift
from orthanc_server import Orthanc, free_port
from pacs_case import ListenerProcess, head_series

__all__ = ["midlineshift"]


@pytest.fixture
def listener_port():
    return free_port()


@pytest.fixture
def orthanc(tmp_path, listener_port):
    """A running PACS that knows MIDLINESHIFT at ``listener_port``."""
    server = Orthanc(tmp_path / "orthanc", {"midlineshift": ("MIDLINESHIFT", listener_port)})
    server.start()
    yield server
    server.stop()


@pytest.fixture
def listener(tmp_path, orthanc, listener_port):
    """A listener that sends its results to that PACS; started by the test."""
    made = ListenerProcess(tmp_path, orthanc.target, listener_port)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.kill()


@pytest.fixture
def series(tmp_path):
    """A folder with a head CT series of 12 images."""
    return head_series(tmp_path / "series")
