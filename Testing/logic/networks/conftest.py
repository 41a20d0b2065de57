import numpy as np
import pytest
import torch
from authors_fill import TINY, filled

from MidlineShiftLogic.networks.denoiser import Denoiser
from MidlineShiftLogic.networks.voxelmorph import DeformationNet


@pytest.fixture(scope="session")
def reference_folder(shared_data):
    return shared_data / "reference"


@pytest.fixture(scope="session")
def reference(reference_folder):
    with np.load(reference_folder / "authors_forward.npz") as archive:
        return {name: torch.from_numpy(archive[name]) for name in archive.files}


@pytest.fixture(scope="session")
def conditional():
    return filled(Denoiser(**TINY), "con.")


@pytest.fixture(scope="session")
def unconditional():
    return filled(Denoiser(**TINY), "unc.")


@pytest.fixture(scope="session")
def deformation():
    return filled(DeformationNet(), "deform.")
