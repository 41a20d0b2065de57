"""The network that reads a slice: what its settings promise."""

import pytest
import torch
from small_networks import awake

from MidlineShiftLogic.models.registry import build_network
from MidlineShiftLogic.networks.midline_unet import MidlineUNet

FEATURES = (8, 8, 8, 8, 8)


def test_a_finer_input_is_reported_in_pixels_of_the_grid():
    network = MidlineUNet(2, FEATURES, upsampling=2)
    assert network.config["upsampling"] == 2
    out = network(torch.zeros(1, 2, 128, 128))
    assert out.deformed.shape == (1, 32, 32)
    assert out.displacement.shape == (1, 2, 32, 32)


def test_the_first_layer_sees_detail_that_a_coarse_grid_averages_away():
    network = awake(MidlineUNet(1, FEATURES, upsampling=2)).eval()
    stripes = torch.ones(1, 1, 128, 128)
    stripes[..., ::2] = -1
    with torch.inference_mode():
        flat, seen = (network(x).ideal for x in (torch.zeros_like(stripes), stripes))
    assert float((flat - seen).abs().max()) > 1e-4


def test_networks_of_before_have_no_new_setting():
    network = MidlineUNet(2, FEATURES)
    assert "upsampling" not in network.config
    assert network.upsampling == 1


def test_a_grid_that_does_not_divide_is_an_error():
    with pytest.raises(RuntimeError):
        MidlineUNet(2, FEATURES, upsampling=2)(torch.zeros(1, 2, 65, 65))


def test_settings_of_earlier_versions_are_accepted():
    network = build_network("midline_unet", {"in_channels": 2, "features": list(FEATURES), "fineness": 2})
    assert network.upsampling == 2 and network.config["upsampling"] == 2
