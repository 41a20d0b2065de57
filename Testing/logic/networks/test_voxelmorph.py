import pytest
import torch

from MidlineShiftLogic.networks.voxelmorph import DeformationNet


def test_config_rebuilds_the_network():
    network = DeformationNet(in_channels=3)
    DeformationNet(**network.config).load_state_dict(network.state_dict())


@pytest.mark.parametrize("size", [(64, 64), (128, 96), (256, 256)])
def test_any_size_that_divides_by_16(size):
    assert DeformationNet()(torch.zeros(1, 2, *size)).shape == (1, 2, *size)


def test_a_fresh_network_hardly_moves_anything():
    velocity = DeformationNet()(torch.rand(1, 2, 64, 64))
    assert velocity.abs().max() < 0.01


def test_every_head_contributes():
    network = DeformationNet()
    x = torch.rand(1, 2, 64, 64)
    network(x).square().sum().backward()
    for head in (network.flow, network.flow_quarter[-1], network.flow_sixteenth[-1]):
        assert head.weight.grad.abs().sum() > 0


def test_wrong_number_of_widths():
    with pytest.raises(ValueError, match="7 decoder widths"):
        DeformationNet(decoder=(32, 32))
