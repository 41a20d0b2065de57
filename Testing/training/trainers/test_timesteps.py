"""Samplers of noise levels, learning rates and lengths of guided-diffusion's training."""

import pytest
import torch

from midlineshift_training.trainers.learning_rate import rate_schedule
from midlineshift_training.trainers.settings.diffusion import DiffusionSettings
from midlineshift_training.trainers.start.epochs import steps_of_epochs
from midlineshift_training.trainers.timestep_sampler import SecondMomentSampler


def filled(losses):
    sampler = SecondMomentSampler(len(losses))
    for _ in range(10):
        sampler.update(torch.arange(len(losses)), torch.tensor(losses))
    return sampler


def test_uniform_until_every_step_has_ten_losses():
    sampler = SecondMomentSampler(4)
    for _ in range(10):
        sampler.update(torch.tensor([0, 1, 2]), torch.tensor([9.0, 1.0, 1.0]))
    assert sampler.probabilities().tolist() == [0.25] * 4
    assert sampler.draw(5, torch.Generator().manual_seed(0))[1].tolist() == [1.0] * 5


def test_steps_come_as_often_as_their_losses_are_large():
    p = filled([3.0, 1.0, 0.0, 0.0]).probabilities()
    assert p.tolist() == pytest.approx([0.75 * 0.999 + 0.00025, 0.25 * 0.999 + 0.00025, 0.00025, 0.00025])


def test_only_the_last_ten_losses_count():
    sampler = filled([1.0, 1.0])
    sampler.update(torch.tensor([0] * 10), torch.full((10,), 3.0))
    assert sampler.probabilities()[0] == pytest.approx(0.75, abs=1e-3)


def test_the_weights_keep_the_expected_loss():
    sampler = filled([4.0, 1.0, 0.5, 0.1])
    losses = torch.tensor([5.0, 2.0, 1.0, 3.0])
    drawn, weights = sampler.draw(200_000, torch.Generator().manual_seed(0))
    assert float((losses[drawn] * weights).mean()) == pytest.approx(float(losses.mean()), rel=0.03)


def test_the_state_goes_on():
    sampler, other = filled([4.0, 1.0]), SecondMomentSampler(2)
    other.load(sampler.state())
    assert torch.equal(other.probabilities(), sampler.probabilities())
    other.update(torch.tensor([1]), torch.tensor([9.0]))
    assert not torch.equal(other.probabilities(), sampler.probabilities())


@pytest.mark.parametrize(("rate", "factors"), [("constant", [1, 1, 1]), ("linear", [1, 0.75, 0.5])])
def test_rates(rate, factors):
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], 2.0)
    found = rate_schedule(optimizer, DiffusionSettings(rate=rate, max_steps=4))
    rates = []
    for _ in factors:
        rates.append(optimizer.param_groups[0]["lr"] / 2)
        optimizer.step()
        found["scheduler"].step()
    assert rates == factors


def test_epochs_are_passes_over_the_slices():
    settings = DiffusionSettings(epochs=3, batch=4, microbatches=2)
    assert steps_of_epochs(settings, 17) == {"max_steps": 9, "check_every": 3}
    assert steps_of_epochs(DiffusionSettings(batch=4), 17) == {}
