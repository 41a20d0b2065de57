import pytest
from dicom_case import make_case


@pytest.fixture(scope="session")
def case(tmp_path_factory):
    """A drawn head as an ordinary DICOM series, read and measured: 8 mm to the patient's left."""
    return make_case(tmp_path_factory.mktemp("series"))
