import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data():
    """Folder of reference outputs and real scans that is beside a checkout and is not part of it."""
    folder = Path(os.environ.get("MIDLINESHIFT_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no shared test data at {folder}; set MIDLINESHIFT_SHARED")
    return folder
