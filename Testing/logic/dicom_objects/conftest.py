import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "headct")]


@pytest.fixture(scope="session")
def case(tmp_path_factory):
    """A drawn head as an ordinary DICOM series, read and measured: 8 mm to the patient's left."""
    from dicom_case import make_case

    return make_case(tmp_path_factory.mktemp("series"))
