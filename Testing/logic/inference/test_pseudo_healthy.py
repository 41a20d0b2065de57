"""The pseudo-healthy image on the scan's grid: in its place, only in the brain, the same every time."""

import numpy as np
import pytest
import torch
from heads import SIZE, perfect_maps, scan

from MidlineShiftLogic.errors import Cancelled, InputError
from MidlineShiftLogic.inference import pseudo_healthy as module
from MidlineShiftLogic.inference.pose import HeadPose
from MidlineShiftLogic.inference.pseudo_healthy import make_pseudo_healthy
from MidlineShiftLogic.networks.diffusion import linear, noise_from_x0
from MidlineShiftLogic.networks.midline_unet import MidlineUNet, SlicePrediction

GRID = 64
SPOT = (20.0, 41.0)
"""(row, column) of a bright spot on the denoisers' grid."""


class Reader(MidlineUNet):
    """Says where the brain is: an ellipse of 45 x 60 frame pixels about the frame's middle."""

    def __init__(self):
        torch.nn.Module.__init__(self)
        self.upsampling = 1

    def forward(self, x):
        maps = perfect_maps(len(x), np.zeros(len(x)))
        to = lambda a: torch.from_numpy(np.ascontiguousarray(a)).float()  # noqa: E731
        return SlicePrediction(
            displacement=None,
            inverse=None,
            ideal=to(maps.ideal),
            deformed=to(maps.deformed),
            inside=torch.logit(to(maps.inside), eps=1e-3),
            attachments=to(maps.attachments),
            measurable=torch.logit(to(maps.measurable)),
            height=to(maps.height),
        )


def sees(picture):
    """A denoiser that finds ``picture`` in whatever noise it is given."""
    return lambda xt, steps: noise_from_x0(linear(), xt, steps, picture.expand_as(xt))


def spot(value=0.9):
    row, column = np.mgrid[:GRID, :GRID]
    blob = np.exp(-((row - SPOT[0]) ** 2 + (column - SPOT[1]) ** 2) / (2 * 1.5**2))
    return torch.from_numpy(blob * (value + 0.5) - 0.5).float()


class Model:
    has_denoisers, class_conditional, name = True, False, "painter"
    noise = {"grid": GRID}  # noqa: RUF012
    readout = {}  # noqa: RUF012
    provenance = {"name": "painter", "version": "1"}  # noqa: RUF012

    def __init__(self, conditional, unconditional=None):
        self.networks = {"pose": Reader(), "conditional": conditional, "unconditional": unconditional or conditional}

    def grid_of(self, component):
        return {"size": SIZE, "pixel_mm": 1.8, "length_mm": 198.0}

    def network(self, component):
        return self.networks[component]


@pytest.fixture
def ct(monkeypatch):
    """Scan of a head that is turned by 12 degrees, whose middle wanders from slice to slice."""
    ct = scan()
    centre = np.array([108.0, 118.0]) + np.arange(ct.n_slices)[:, None] * np.array([0.6, -0.4])
    height = 5.0 * np.arange(ct.n_slices) - 20
    pose = HeadPose(np.radians(12), centre, 178.2, np.full(ct.n_slices, 0.9), height, 1.0)
    monkeypatch.setattr(module, "estimate_pose", lambda *_, **__: pose)
    ct.hu[:] = 30.0
    return ct


def frame_of(ct):
    return module.estimate_pose(ct).frame(SIZE, 1.8, 198.0)


@pytest.mark.parametrize("index", [2, 9])
def test_is_where_it_belongs(ct, index):
    healthy = make_pseudo_healthy(ct, Model(sees(spot())), "cpu", [index])
    light = np.clip(healthy.hu[0] - 40, 0, None)
    rows, columns = np.indices(light.shape)
    found = np.array([(light * columns).sum(), (light * rows).sum()]) / light.sum()
    # a pixel of the denoisers covers two of the frame
    frame_pixel = 2 * np.array([SPOT[1], SPOT[0]]) + 0.5
    wanted = frame_of(ct).to_plane(index, frame_pixel) / (ct.pixel_spacing[1], ct.pixel_spacing[0])
    assert found == pytest.approx(wanted, abs=0.4)
    assert healthy.hu.max() == pytest.approx(76, abs=2) and healthy.hu.min() == pytest.approx(20, abs=1)


def test_only_the_brain_is_painted(ct):
    frame = frame_of(ct)
    ct.hu[5, :40] = 900.0
    ct.hu[5, 195:199, 214:218] = 300.0
    healthy = make_pseudo_healthy(ct, Model(sees(spot() * 0 - 0.5)), "cpu", [5])
    shown = healthy.over(0, ct.hu[5])
    plane = np.stack(np.meshgrid(np.arange(440) * 0.5, np.arange(400) * 0.6), -1)
    place = frame.from_plane(5, plane) - (SIZE - 1) / 2
    radius = np.hypot(place[..., 0] / 45, place[..., 1] / 60)
    skull = np.arange(400)[:, None] < 40
    assert np.allclose(shown[(radius < 0.9) & ~skull], 20, atol=0.1), "a calcification in the brain is not skull"
    assert np.array_equal(shown[radius > 1.1], ct.hu[5][radius > 1.1])
    assert np.array_equal(shown[:40], ct.hu[5, :40])


def test_a_slice_comes_out_the_same_whichever_others_are_asked_for(ct):
    def network(xt, steps):
        return 0.4 * xt + 0.2 * xt.roll(1, -1)

    alone = make_pseudo_healthy(ct, Model(network), "cpu", [9])
    among = make_pseudo_healthy(ct, Model(network), "cpu", [9, 3, 3, 4])
    assert among.slices.tolist() == [3, 4, 9] and among.model == {"name": "painter", "version": "1"}
    assert np.array_equal(alone.hu[0], among.hu[2])
    assert not np.allclose(among.hu[0], among.hu[1], atol=1), "each slice has a noise of its own"


def test_the_mean_over_several_noises_differs_less_from_another_mean(ct):
    def chance(noises, seed):
        model = Model(lambda xt, steps: 0.9 * xt)
        model.noise = {"grid": GRID, "seed": seed, "ddim": {"noises": noises}}
        return make_pseudo_healthy(ct, model, "cpu", [9]).hu

    one, four = (np.abs(chance(noises, 0) - chance(noises, 50)).mean() for noises in (1, 4))
    assert four < 0.65 * one


def test_the_slices_of_a_measurement_by_default(ct):
    height = module.estimate_pose(ct).height
    healthy = make_pseudo_healthy(ct, Model(sees(spot())), "cpu")
    assert healthy.slices.tolist() == np.flatnonzero((height >= -8) & (height <= 45)).tolist()


def test_shows_how_far_it_is_and_can_be_stopped(ct):
    reported = []
    make_pseudo_healthy(ct, Model(sees(spot())), "cpu", [3, 4], lambda *step: reported.append(step))
    assert reported[1:] == [(done, 30, module.WHAT) for done in range(1, 31)]
    reported.clear()
    with pytest.raises(Cancelled):
        make_pseudo_healthy(
            ct, Model(sees(spot())), "cpu", [3], lambda *step: reported.append(step), lambda: len(reported) >= 5
        )
    assert len(reported) == 5


def test_what_cannot_be_made_is_reported(ct):
    with pytest.raises(InputError, match="slices 0 to 15, not 16"):
        make_pseudo_healthy(ct, Model(sees(spot())), "cpu", [3, 16])
    blind = Model(sees(spot()))
    blind.has_denoisers = False
    with pytest.raises(InputError, match="'painter' has no denoisers"):
        make_pseudo_healthy(ct, blind, "cpu", [3])


def test_the_steps_and_the_guidance_are_those_of_the_model(ct):
    """Not the defaults: what was chosen in training is stored with the model."""
    model, reported = Model(sees(spot()), sees(spot(0.2))), []
    model.noise = {"grid": GRID, "ddim": {"count": 10, "start": 2, "conditional_weight": 1.0}}
    healthy = make_pseudo_healthy(ct, model, "cpu", [5], lambda *step: reported.append(step))
    assert reported[-1] == (2, 2, module.WHAT)
    assert healthy.hu.max() == pytest.approx(76, abs=2), "with a weight of 1 the unconditional denoiser has no say"
    plain = Model(sees(spot()), sees(spot(0.2)))
    assert make_pseudo_healthy(ct, plain, "cpu", [5]).hu.max() > 78, "3 e_con - 2 e_unc goes beyond"


@pytest.mark.parametrize(
    ("ddim", "said"),
    [
        ({"count": 700, "start": 2}, "no whole stride"),
        ({"start": 50}, "'start' is 50"),
        ({"steps": 3}, "'steps', which this version does not know"),
    ],
)
def test_steps_that_cannot_be_made_are_reported(ct, ddim, said):
    model = Model(sees(spot()))
    model.noise = {"grid": GRID, "steps": 1000, "ddim": ddim}
    with pytest.raises(InputError, match=said):
        make_pseudo_healthy(ct, model, "cpu", [5])
