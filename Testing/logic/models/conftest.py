import pytest
from small_networks import SMALL_DENOISER, awake

from MidlineShiftLogic.models.description import ModelDescription
from MidlineShiftLogic.models.folder import save_model
from MidlineShiftLogic.models.locate import DEFAULT_MODEL, ENVIRONMENT_VARIABLE
from MidlineShiftLogic.networks.denoiser import Denoiser
from MidlineShiftLogic.networks.midline_unet import MidlineUNet


@pytest.fixture(scope="session")
def description():
    return ModelDescription(
        name=DEFAULT_MODEL,
        version="1.0",
        description="A model for tests.",
        licence="Apache-2.0",
        trained_on="nothing",
        frame={"grid": 128, "pixel_mm": 1.8, "length_mm": 198.0},
        noise={"t": 300, "seed": 0, "schedule": "linear", "steps": 1000, "grid": 32},
        readout={"quantile": 0.75},
        accuracy={"phantom_mae_mm": 0.5},
    )


@pytest.fixture(scope="session")
def networks():
    return {
        "pose": awake(MidlineUNet(features=(8, 8, 8, 8, 8), flow=False), 0),
        "conditional": awake(Denoiser(**SMALL_DENOISER), 1),
        "unconditional": awake(Denoiser(**SMALL_DENOISER), 2),
    }


@pytest.fixture
def model_folder(tmp_path, monkeypatch, description, networks):
    """A model folder that is also the default model by name."""
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path / "models"))
    return save_model(tmp_path / "models" / DEFAULT_MODEL, description, networks)
