"""A model folder with a network that looks again along the midline."""

from __future__ import annotations

import json

import pytest
import torch
from small_networks import awake

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.models import load_model, save_model
from MidlineShiftLogic.models.weights import sha256, write_weights
from MidlineShiftLogic.networks.strip_unet import StripUNet

GRID = {"rows": 16, "columns": 16, "column_mm": 1.5}


@pytest.fixture
def refinement():
    return awake(StripUNet((8, 8, 8), GRID), 3)


@pytest.fixture
def folder(tmp_path, description, networks, refinement):
    return save_model(tmp_path / "refining", description, {"pose": networks["pose"], "refinement": refinement})


def change(folder, **values):
    """Change the refinement's entry of model.json in place."""
    path = folder / "model.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["components"]["refinement"].update(values)
    path.write_text(json.dumps(content), encoding="utf-8")


def refused(folder) -> str:
    with pytest.raises(InputError) as caught:
        load_model(folder).network("refinement")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_round_trip(folder, refinement):
    model = load_model(folder)
    assert model.has_refinement
    assert set(model.provenance["sha256"]) == {"pose", "refinement"}
    assert (folder / "refinement.safetensors").is_file()
    network = model.network("refinement")
    assert (network.grid.rows, network.grid.column_mm, network.grid.row_samples) == (16, 1.5, 2)
    x = torch.rand(1, 3, 32, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.allclose(network(x), refinement(x), atol=1e-2, rtol=1e-2)


def test_a_model_without_one(model_folder):
    assert not load_model(model_folder).has_refinement


def test_a_damaged_file(folder):
    path = folder / "refinement.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert "refinement.safetensors is not the file that model.json describes" in refused(folder)
    path.unlink()
    assert "refinement.safetensors cannot be read" in refused(folder)


def test_weights_of_another_size(folder):
    path = folder / "refinement.safetensors"
    write_weights(path, StripUNet((8, 8, 16), GRID).state_dict(), True)
    change(folder, sha256=sha256(path))
    assert "refinement.safetensors" in refused(folder)


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        ({"rows": "80"}, "which no network takes"),
        ({"rows": [80]}, "which no network takes"),
        ({"rows": -3}, "which no network takes"),
        ({"rows": True}, "which no network takes"),
        ({"rows": 1}, "two or more rows"),
        ({"rows": 20.5}, "which no network takes"),
        ({"rows": 60000}, "which no network takes"),
        ({"column_mm": 0}, "columns are apart"),
        ({"colour": 3}, "colour"),
    ],
)
def test_a_grid_that_no_strip_has(folder, grid, said):
    change(folder, config={"features": [8, 8, 8], "grid": grid})
    assert said in refused(folder)


def test_another_kind_of_network(folder):
    change(folder, kind="midline_unet")
    assert "'components.refinement.kind' is 'midline_unet'" in refused(folder)
