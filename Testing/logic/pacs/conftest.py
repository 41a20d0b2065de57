import shutil
import subprocess

import pytest
from command import midlineshift
from orthanc_server import Orthanc
from pacs_case import ListenerProcess, head_series
from ports import free_port

from MidlineShiftLogic.pacs.access_control import TlsFiles

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


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """An authority, and a certificate of it for 127.0.0.1."""
    if not shutil.which("openssl"):
        pytest.skip("no openssl to make certificates with")
    folder = tmp_path_factory.mktemp("tls")

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=60)

    def key(name):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key"]

    (folder / "san").write_text("subjectAltName=IP:127.0.0.1")
    openssl("req", "-x509", *key("ca"), "-subj", "/CN=authority", "-out", "ca.pem", "-days", "2")
    openssl("req", *key("own"), "-subj", "/CN=own", "-out", "own.csr")
    openssl(
        "x509", "-req", "-in", "own.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
        "-extfile", "san", "-out", "own.pem",
    )  # fmt: skip
    return TlsFiles(folder / "own.pem", folder / "own.key", folder / "ca.pem")
