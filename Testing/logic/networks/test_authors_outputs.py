"""Our networks compute the same functions as the authors' published code, entry by entry of its recorded outputs."""

import pytest
import torch
from authors_fill import TINY, authors_state

from MidlineShiftLogic.geometry import fields
from MidlineShiftLogic.models import load_model
from MidlineShiftLogic.models.authors_names import authors_name, authors_shape, is_sampling_grid
from MidlineShiftLogic.models.import_authors import import_authors
from MidlineShiftLogic.networks import diffusion
from MidlineShiftLogic.networks.denoiser import Denoiser
from MidlineShiftLogic.networks.voxelmorph import DeformationNet

FORWARD, SAMPLED = 1e-4, 1e-3


@pytest.fixture(scope="module")
def schedule():
    return diffusion.linear(1000)


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def largest_difference(a, b):
    assert a.shape == b.shape
    return float((a - b).abs().max())


def names_and_shapes(network):
    return [
        (authors_name(network, name), authors_shape(name, parameter))
        for name, parameter in network.state_dict().items()
    ]


def listed(path):
    rows = [line.split("\t") for line in path.read_text().splitlines()]
    return [(name, tuple(map(int, shape.split("x")))) for name, shape in rows if not is_sampling_grid(name)]


def on_meta(build):
    with torch.device("meta"):
        return build()


def test_published_size_has_their_parameters_in_their_order(reference_folder):
    network = on_meta(Denoiser)
    assert names_and_shapes(network) == listed(reference_folder / "adm_256_full.state_dict.tsv")
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(138.3e6, rel=1e-3)


def test_tiny_denoiser_and_deformation_have_their_parameters_in_their_order(reference_folder):
    tiny = on_meta(lambda: Denoiser(base_channels=32, residual_blocks=1, head_channels=16))
    assert names_and_shapes(tiny) == listed(reference_folder / "adm_256_tiny.state_dict.tsv")
    assert names_and_shapes(on_meta(DeformationNet)) == listed(reference_folder / "deformation.state_dict.tsv")


def test_noising(reference, schedule):
    xt = diffusion.add_noise(schedule, reference["x"], torch.tensor([300, 300]), reference["noise"])
    assert largest_difference(xt, reference["x_t300"]) < 1e-6
    step15 = torch.full((2,), diffusion.ddim_timesteps(1000, 50)[15])
    xt = diffusion.add_noise(schedule, reference["x"], step15, reference["noise"])
    assert largest_difference(xt, reference["x_ddim15"]) < 1e-6


def test_denoisers(reference, conditional, unconditional):
    steps = torch.tensor([300, 300])
    full = conditional(reference["x_t300"], steps)
    assert largest_difference(full, reference["con_full"]) < FORWARD
    assert largest_difference(full[:, :1], reference["eps_con"]) < FORWARD
    assert largest_difference(unconditional(reference["x_t300"], steps)[:, :1], reference["eps_unc"]) < FORWARD


def test_whole_way_to_the_shift(reference, conditional, unconditional, deformation, schedule):
    steps = torch.tensor([300, 300])
    difference = diffusion.noise_difference(
        conditional, unconditional, schedule, reference["x"], steps, reference["noise"]
    )
    assert largest_difference(difference, reference["eps_con"] - reference["eps_unc"]) < FORWARD
    velocity = deformation(torch.cat([reference["x"], difference], dim=1))
    assert largest_difference(velocity, reference["velocity"]) < FORWARD
    displacement = fields.integrate(velocity, steps=7)
    assert largest_difference(displacement, reference["displacement_rc"]) < FORWARD
    assert largest_difference(displacement.norm(dim=1).amax((1, 2)), reference["mls_px"]) < FORWARD


def test_warp(reference):
    warped = fields.warp(reference["pseudo_healthy_from15"], reference["displacement_rc"])
    assert largest_difference(warped, reference["warped"]) < 1e-5


def test_pseudo_healthy_from_step_3(reference, conditional, unconditional, schedule):
    step3 = torch.full((2,), diffusion.ddim_timesteps(1000, 50)[3])
    xt = diffusion.add_noise(schedule, reference["x"], step3, reference["noise"])
    healthy = diffusion.ddim_sample(conditional, unconditional, schedule, xt, start=3)
    assert largest_difference(healthy, reference["pseudo_healthy_from3"]) < SAMPLED


@pytest.mark.slow
def test_pseudo_healthy_from_step_15(reference, conditional, unconditional, schedule):
    """One slice of the two: what is new against step 3 is what adds up over the steps."""
    healthy = diffusion.ddim_sample(conditional, unconditional, schedule, reference["x_ddim15"][1:], start=15)
    assert largest_difference(healthy, reference["pseudo_healthy_from15"][1:]) < SAMPLED


def test_through_the_saved_model_folder(reference, schedule, tmp_path):
    """Checkpoints of their form, imported, saved and loaded again, give their outputs as precisely as in memory."""
    paths = {}
    for name, network, prefix in (
        ("conditional", Denoiser(**TINY), "con."),
        ("unconditional", Denoiser(**TINY), "unc."),
        ("deformation", DeformationNet(), "deform."),
    ):
        paths[name] = tmp_path / f"{name}.pt"
        torch.save(authors_state(network, prefix), paths[name])
    model = load_model(import_authors(**paths, out=tmp_path / "model", head_channels=TINY["head_channels"]))
    pair = model.network("conditional"), model.network("unconditional")
    x, noise, con, unc, field = (
        reference[name][:1] for name in ("x", "noise", "eps_con", "eps_unc", "displacement_rc")
    )
    difference = diffusion.noise_difference(*pair, schedule, x, torch.tensor([300]), noise)
    assert largest_difference(difference, con - unc) < FORWARD
    velocity = model.network("deformation")(torch.cat([x, difference], dim=1))
    assert largest_difference(fields.integrate(velocity), field) < FORWARD
