import sys

import pytest
import synthetic_case
from command import midlineshift
from scan_files import save_nifti

__all__ = ["midlineshift"]


@pytest.fixture
def fake_pipeline(monkeypatch):
    """Real reading and checks, stand-ins for model and networks; the list of model choices that were loaded."""
    opened = []
    synthetic_case.install_fake_pipeline(
        lambda name, module: monkeypatch.setitem(sys.modules, name, module), 8.0, 0.0, opened
    )
    return opened


@pytest.fixture(scope="session")
def head_hu():
    """(slice, row, column) HU of a head that passes every check; 5 x 0.9 x 0.9 mm."""
    return synthetic_case.drawn_head(8.0, (32, 256, 224), (5.0, 0.9, 0.9)).hu


@pytest.fixture
def scan(tmp_path, head_hu):
    return save_nifti(tmp_path / "head.nii.gz", head_hu)
