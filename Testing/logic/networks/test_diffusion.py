import pytest
import torch

from MidlineShiftLogic.networks import diffusion


def test_linear_schedule_of_1000_steps():
    schedule = diffusion.linear(1000)
    assert schedule.steps == 1000
    assert schedule.betas[0].item() == pytest.approx(1e-4)
    assert schedule.betas[-1].item() == pytest.approx(0.02)
    assert schedule.alphas_cumprod[-1].item() == pytest.approx(4.04e-5, rel=0.01)
    assert schedule.posterior_variance[0] == 0


@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_fewer_steps_end_in_as_much_noise(name):
    schedule = diffusion.make_schedule(name, 100)
    assert schedule.alphas_cumprod[-1] < 1e-3
    assert (schedule.alphas_cumprod.diff() < 0).all()


def test_unknown_schedule():
    with pytest.raises(ValueError, match="sigmoid"):
        diffusion.make_schedule("sigmoid", 10)


def test_noise_and_clean_are_inverse():
    schedule, generator = diffusion.linear(), torch.Generator().manual_seed(0)
    x0, noise = torch.rand(3, 1, 4, 4, generator=generator), torch.randn(3, 1, 4, 4, generator=generator)
    steps = torch.tensor([0, 300, 900])
    xt = diffusion.add_noise(schedule, x0, steps, noise)
    assert torch.allclose(diffusion.predict_x0(schedule, xt, steps, noise), x0, atol=1e-4)
    assert torch.allclose(diffusion.noise_from_x0(schedule, xt, steps, x0), noise, atol=1e-4)


def test_ddim50_strides_by_20():
    steps = diffusion.ddim_timesteps(1000, 50)
    assert steps == list(range(0, 1000, 20))
    assert steps[15] == 300
    with pytest.raises(ValueError, match="999"):
        diffusion.ddim_timesteps(1000, 999)


def test_ddim_with_a_perfect_denoiser_gives_the_slice_back():
    schedule, generator = diffusion.linear(), torch.Generator().manual_seed(0)
    x0, noise = torch.rand(2, 1, 8, 8, generator=generator) * 1.8 - 0.9, torch.randn(2, 1, 8, 8, generator=generator)

    def knows_x0(xt, steps):
        return diffusion.noise_from_x0(schedule, xt, steps, x0)

    reported = []
    xt = diffusion.add_noise(schedule, x0, torch.tensor([300, 300]), noise)
    out = diffusion.ddim_sample(knows_x0, knows_x0, schedule, xt, start=15, progress=lambda *a: reported.append(a))
    assert torch.allclose(out, x0, atol=1e-5)
    assert reported == [(n, 15) for n in range(1, 16)]


def test_pseudo_healthy_goes_beyond_the_non_mls_denoiser():
    """3 of what the denoiser of unshifted heads sees, less 2 of what that of all heads sees (Gong et al.)."""
    schedule = diffusion.linear()

    def sees(value):
        return lambda xt, steps: diffusion.noise_from_x0(schedule, xt, steps, torch.full_like(xt, value))

    x, noise = torch.zeros(2, 1, 4, 4), diffusion.fixed_noise((1, 1, 4, 4), 0)
    out = diffusion.pseudo_healthy(sees(0.2), sees(0.1), schedule, x, noise)
    assert torch.allclose(out, torch.full_like(x, 0.4), atol=1e-5)


def test_pseudo_healthy_starts_at_the_noise_of_its_ddim_step():
    schedule, seen = diffusion.linear(), []

    def network(xt, steps):
        seen.append((xt.clone(), steps))
        return torch.zeros_like(xt)

    x, noise = torch.full((3, 1, 4, 4), 0.5), diffusion.fixed_noise((1, 1, 4, 4), 1)
    diffusion.pseudo_healthy(network, network, schedule, x, noise, start=15, count=50)
    assert torch.equal(seen[0][0], diffusion.add_noise(schedule, x, torch.tensor([300] * 3), noise))
    assert len(seen) == 30 and seen[0][1].tolist() == [280] * 3 and seen[-1][1].tolist() == [0] * 3


def test_noise_difference_of_equal_networks_is_zero_and_ignores_the_variance():
    schedule = diffusion.linear()
    x = torch.zeros(2, 1, 4, 4)

    def network(xt, steps):
        return torch.cat([xt, torch.rand_like(xt)], dim=1)

    noise = diffusion.fixed_noise((1, 1, 4, 4), seed=3)
    difference = diffusion.noise_difference(network, network, schedule, x, torch.tensor([300, 300]), noise)
    assert difference.shape == x.shape
    assert difference.abs().max() == 0


def test_fixed_noise_is_fixed():
    assert torch.equal(diffusion.fixed_noise((1, 1, 4, 4), 5), diffusion.fixed_noise((1, 1, 4, 4), 5))
    assert not torch.equal(diffusion.fixed_noise((1, 1, 4, 4), 5), diffusion.fixed_noise((1, 1, 4, 4), 6))


def test_ddim_on_its_own_level_calls_the_network_with_the_noise_it_sees():
    schedule, generator = diffusion.linear(), torch.Generator().manual_seed(0)
    x0, noise = torch.rand(2, 1, 8, 8, generator=generator) * 1.8 - 0.9, torch.randn(2, 1, 8, 8, generator=generator)
    seen = []

    def knows_noise(xt, steps):
        seen.append((int(steps[0]), float((xt - diffusion.extract(schedule.alphas_cumprod.sqrt(), steps) * x0).std())))
        return diffusion.noise_from_x0(schedule, xt, steps, x0)

    out = diffusion.pseudo_healthy(
        knows_noise, knows_noise, schedule, x0, noise, start=3, count=50, conditional_weight=1.0, own_level=True
    )
    assert torch.allclose(out, x0, atol=1e-5)
    assert [step for step, _ in seen] == [60, 40, 20]
    for step, spread in seen:
        expected = float((1 - schedule.alphas_cumprod[step]).sqrt() * noise.std())
        assert spread == pytest.approx(expected, rel=1e-3)


def test_branches_of_one_network_are_its_classes_at_the_slices_heights():
    calls = []

    def network(xt, steps, classes, heights):
        calls.append((classes.tolist(), heights.tolist()))
        return xt * classes[:, None, None, None]

    conditional, unconditional = diffusion.class_branches(network, torch.tensor([3.0, 8.0]))
    xt, steps = torch.ones(4, 1, 2, 2), torch.full((4,), 175)
    assert conditional(xt, steps).eq(1).all() and unconditional(xt, steps).eq(0).all()
    assert calls == [([1] * 4, [3.0, 8.0, 3.0, 8.0]), ([0] * 4, [3.0, 8.0, 3.0, 8.0])]


def test_by_difference_only_what_the_class_changes_is_changed():
    """Both branches smooth the slice; the class also moves it. The image has the move, and keeps the texture."""
    schedule, generator = diffusion.linear(), torch.Generator().manual_seed(0)
    anatomy, texture = torch.zeros(1, 1, 8, 8), 0.1 * torch.randn(1, 1, 8, 8, generator=generator)
    anatomy[..., 5] = 0.5
    straight = anatomy.roll(-1, -1)
    noise = torch.randn(1, 1, 8, 8, generator=generator)

    def toward(target):
        return lambda xt, steps: diffusion.noise_from_x0(schedule, xt, steps, target)

    settings = {"start": 2, "count": 50, "conditional_weight": 1.0, "own_level": True}
    pair, steps = (toward(straight), toward(anatomy)), []
    made = [
        diffusion.pseudo_healthy(
            *pair,
            schedule,
            anatomy + texture,
            noise,
            **settings,
            by_difference=by,
            progress=lambda *at: steps.append(at),
        )
        for by in (False, True)
    ]
    assert torch.allclose(made[0], straight, atol=1e-5)
    assert torch.allclose(made[1], straight + texture, atol=1e-5)
    assert steps == [(1, 2), (2, 2), (1, 4), (2, 4), (3, 4), (4, 4)]
