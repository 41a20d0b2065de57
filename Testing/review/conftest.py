"""Results of drawn heads to review, the review's server as a user starts it, and a real browser."""

import mrml_core  # noqa: F401  sets the off-screen window, and skips where slicer-core has no wheel
import pytest
from review_case import CHROMIUM, DRIVER, Server, make_results

from MidlineShiftLogic.review_app.cases import find_cases
from MidlineShiftLogic.review_app.readings import ReaderFolder


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
    selenium = pytest.importorskip("selenium.webdriver")
    if not (CHROMIUM and DRIVER):
        pytest.skip("Chromium and its driver are not installed")
    browsers = []

    def make(size=(1366, 900)):
        options = selenium.ChromeOptions()
        options.binary_location = CHROMIUM
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
            options.add_argument(argument)
        options.add_argument(f"--window-size={size[0]},{size[1]}")
        browsers.append(selenium.Chrome(options, selenium.ChromeService(DRIVER)))
        return browsers[-1]

    yield make
    for browser in browsers:
        browser.quit()
