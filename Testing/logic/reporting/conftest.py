import pytest
import synthetic_case


@pytest.fixture(scope="session")
def case():
    """(HeadCT, Measurement, DenseResult) of a drawn head pushed 8 mm to the patient's right; pixels are not square."""
    ct = synthetic_case.drawn_head(-8.0)
    return ct, *synthetic_case.measured(ct, -8.0, "drawn head", (synthetic_case.WARNING,))
