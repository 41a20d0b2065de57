import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from make_scans import make_head


@pytest.fixture(scope="session")
def head():
    """The synthetic head as an ordinary scan: 32 slices of 5 mm."""
    return make_head()


@pytest.fixture(scope="session")
def tilted():
    """The same head, scanned with the gantry tilted by 18 degrees."""
    return make_head(tilt=18.0)
