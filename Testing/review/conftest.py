"""Results of drawn heads to review, the review's server as a user starts it, and a real browser."""

import sys
from pathlib import Path

import mrml_core  # noqa: F401  sets the off-screen window, and skips where slicer-core has no wheel
import pytest
from review_case import Server, make_results
from review_page import start_browser

from MidlineShiftLogic.review_app.cases import find_cases
from MidlineShiftLogic.review_app.readings import ReaderFolder

sys.path.append(str(Path(__file__).parents[1] / "panel"))


@pytest.fixture
def results(tmp_path):
    """Two cases, one shifted to either side."""
    return make_results(tmp_path, {"left": 8.0, "right": -6.0})


@pytest.fixture
def case(results):
    return find_cases([results])[0]


@pytest.fixture
def folder(results):
    return ReaderFolder(results, "Ada Lovelace")


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A review of two cases by Ada; everything in this module shares it."""
    results = make_results(tmp_path_factory.mktemp("review"), {"left": 8.0, "right": -6.0})
    server = Server(results, "--reader", "Ada")
    server.start()
    yield server, results
    if server.process.poll() is None:
        server.stop()


@pytest.fixture(scope="module")
def make_browser():
    """Start browsers that are closed at the end."""
    browsers = []

    def make(**options):
        browsers.append(start_browser(**options))
        return browsers[-1]

    yield make
    for browser in browsers:
        browser.quit()


@pytest.fixture
def panel_host(tmp_path):
    """Start hosts of the panel, one at a time, each with an empty scene."""
    pytest.importorskip("PySide6")
    from host.application import Host

    hosts = []

    def make():
        if hosts:
            hosts[-1].close()
        hosts.append(Host(tmp_path))
        return hosts[-1]

    yield make
    for host in hosts[-1:]:
        host.close()
