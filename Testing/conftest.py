import os
import random
import sys
import zlib
from pathlib import Path

import pytest

# The processes of pytest-xdist share the cores. Numeric libraries, which read this when they are loaded, would start a
# thread for every core in each of them, and these would spin while they wait for one another.
if count := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // int(count))))
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def pytest_collection_modifyitems(items):
    """Begin with the files that hold slow tests, so that at the end no core waits for another's slow test."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def begin_random_numbers(name):
    """Begin the numbers that no test seeds itself anew, whichever tests ran in this process before."""
    seed = zlib.crc32(name.encode())
    random.seed(seed)
    for module, function in (("numpy.random", "seed"), ("torch", "manual_seed")):
        if sys.modules.get(module) is not None:
            getattr(sys.modules[module], function)(seed)


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef):
    begin_random_numbers(fixturedef.argname)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item):
    begin_random_numbers(item.nodeid)


@pytest.fixture(scope="session")
def shared_data():
    """Folder of reference outputs and real scans that is beside a checkout and is not part of it."""
    folder = Path(os.environ.get("MIDLINESHIFT_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no shared test data at {folder}; set MIDLINESHIFT_SHARED")
    return folder
