import pytest
import torch

from MidlineShiftLogic.networks.denoiser import Denoiser, timestep_embedding

SMALL = {
    "image_size": 32,
    "base_channels": 32,
    "channel_multipliers": [1, 2],
    "residual_blocks": 1,
    "attention_resolutions": [16],
    "head_channels": 16,
}


def awake(network):
    """Every weight nonzero: a fresh network predicts 0 whatever it is given."""
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        parameter.data += 0.05 * torch.randn(parameter.shape, generator=generator)
    return network.eval()


def test_config_rebuilds_the_network():
    network = Denoiser(**SMALL)
    again = Denoiser(**network.config)
    assert again.config == network.config
    again.load_state_dict(network.state_dict())


@pytest.mark.parametrize("size", [32, 64])
def test_any_size(size):
    out = Denoiser(**SMALL)(torch.zeros(2, 1, size, size), torch.tensor([0, 999]))
    assert out.shape == (2, 2, size, size)


def test_a_fresh_network_predicts_zero_noise():
    assert Denoiser(**SMALL)(torch.randn(1, 1, 32, 32), torch.tensor([5])).abs().max() == 0


def test_the_step_and_the_class_matter():
    network = awake(Denoiser(**SMALL, num_classes=3))
    x = torch.randn(1, 1, 32, 32)
    first, second = torch.tensor([10]), torch.tensor([500])
    base = network(x, first, classes=torch.tensor([0]))
    assert not torch.allclose(base, network(x, second, classes=torch.tensor([0])))
    assert not torch.allclose(base, network(x, first, classes=torch.tensor([1])))


@pytest.mark.parametrize("classes", [None, 3])
def test_classes_are_given_exactly_when_the_network_has_them(classes):
    network = Denoiser(**SMALL, num_classes=classes)
    given = None if classes else torch.tensor([0])
    with pytest.raises(ValueError, match="num_classes"):
        network(torch.zeros(1, 1, 32, 32), torch.tensor([0]), given)


def test_folded_pixels_come_back_in_place():
    folded = Denoiser(**SMALL | {"in_channels": 1, "out_channels": 1}, folding=2)
    plain = Denoiser(**SMALL | {"image_size": 16, "in_channels": 4, "out_channels": 4})
    awake(folded)
    plain.load_state_dict(folded.state_dict())
    x, steps = torch.randn(2, 1, 32, 32), torch.tensor([0, 175])
    with torch.no_grad():
        expected = torch.nn.functional.pixel_shuffle(plain(torch.nn.functional.pixel_unshuffle(x, 2), steps), 2)
        assert torch.allclose(folded(x, steps), expected, atol=1e-5)
    assert Denoiser(**folded.config).folding == 2


def test_the_height_matters_and_is_given_exactly_when_the_network_has_it():
    network = awake(Denoiser(**SMALL, height_condition=True))
    x, steps = torch.randn(1, 1, 32, 32).expand(2, -1, -1, -1), torch.tensor([175, 175])
    with torch.no_grad():
        low, high = network(x, steps, heights=torch.tensor([-10.0, 40.0]))
        assert not torch.allclose(low, high)
        beyond = network(x, steps, heights=torch.tensor([80.0, 200.0]))
        assert torch.equal(*beyond)  # far from the brain heights are cut
    with pytest.raises(ValueError, match="height_condition"):
        network(x, steps)
    with pytest.raises(ValueError, match="height_condition"):
        Denoiser(**SMALL)(x, steps, heights=torch.zeros(2))


def test_channels_last_and_bfloat16_stay_close_to_float32():
    network = awake(Denoiser(**SMALL))
    x, steps = torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(1)), torch.tensor([3, 700])
    with torch.no_grad():
        plain = network(x, steps)
        network.to(memory_format=torch.channels_last)
        assert torch.allclose(network(x.to(memory_format=torch.channels_last), steps), plain, atol=1e-5)
        with torch.autocast("cpu", torch.bfloat16):
            half = network(x, steps)
    assert (half.float() - plain).abs().max() < 0.05 * plain.abs().max()


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match="heads of 24"):
        Denoiser(**(SMALL | {"head_channels": 24}))


def test_timestep_embedding_starts_with_cosines():
    embedded = timestep_embedding(torch.tensor([0, 7]), 8)
    assert embedded.shape == (2, 8)
    assert embedded[0].tolist() == [1, 1, 1, 1, 0, 0, 0, 0]
    assert embedded[1, 0] == pytest.approx(torch.tensor(7.0).cos().item())
