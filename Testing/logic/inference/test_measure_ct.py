"""The way of a scan with networks that know the answer: indices, flags, the authors' read-out, cancelling."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from heads import SIZE, perfect_maps, scan

from MidlineShiftLogic.errors import Cancelled, InputError, RefusedError
from MidlineShiftLogic.geometry.frame import align as cut
from MidlineShiftLogic.geometry.midline_strip import StripGrid
from MidlineShiftLogic.inference import aligned_slices
from MidlineShiftLogic.inference.pipeline import measure_ct, run_networks
from MidlineShiftLogic.inference.pose import head_centre
from MidlineShiftLogic.measurement.uncertainty import FeatureWeight, Uncertainty
from MidlineShiftLogic.measurement.uncertainty_features import FEATURES
from MidlineShiftLogic.networks.midline_unet import MidlineUNet, SlicePrediction

SLICES = 24
STEP_MM = 1.8
PUSH_PX = 0.2
"""Slice k's midline is pushed by 0.2 k pixels to the left, so that a number tells its slice."""


def head():
    """Scan whose grey tells the slice's number, and is brighter on the patient's left so that mirroring is seen."""
    ct = scan(SLICES)
    ct.hu[:] = 3.0 * np.arange(SLICES)[:, None, None] + 1
    ct.hu[:, :, ct.hu.shape[2] // 2 :] += 1
    return replace(ct, source_slices=tuple((2 * k, 2 * k + 1) for k in range(SLICES)))


class Knowing(MidlineUNet):
    """Reads slice number and mirroring from the grey and answers as a perfect network would."""

    upsampling = 1

    def __init__(self, lowest_mm=-40.0, field_factor=1.0, push_px=PUSH_PX, other_way_from=np.inf):
        torch.nn.Module.__init__(self)
        self.lowest_mm, self.field_factor = lowest_mm, field_factor
        self.push_px, self.other_way_from = push_px, other_way_from

    def forward(self, x):
        hu = (x[:, 0] + 1) * 40
        right, left = hu[:, 60:68, 40:50].mean((1, 2)), hu[:, 60:68, 78:88].mean((1, 2))
        number = ((torch.minimum(left, right) - 1) / 3).round().numpy()
        push = self.push_px * number * np.where(number < self.other_way_from, 1, -1)
        maps = perfect_maps(len(x), push * np.where(left > right, 1, -1))
        to = lambda a: torch.from_numpy(np.ascontiguousarray(a)).float()  # noqa: E731
        return SlicePrediction(
            displacement=to(maps.displacement) * self.field_factor,
            inverse=to(maps.inverse) * self.field_factor,
            ideal=to(maps.ideal),
            deformed=to(maps.deformed),
            inside=torch.logit(to(maps.inside), eps=1e-3),
            attachments=to(maps.attachments),
            measurable=torch.logit(to(maps.measurable)),
            height=to(5.0 * number + self.lowest_mm),
        )


class Strips:
    """Answers one column in the middle of the strip's rows, and the strip's middle near the attachments."""

    def __init__(self, columns):
        self.grid, self.columns, self.batches = StripGrid(), columns, 0

    def __call__(self, x):
        self.batches += 1
        mirrored = torch.arange(len(x)) >= len(x) // 2
        at = torch.where(mirrored, -self.columns, self.columns)[:, None] * self.grid.column_mm
        inner = (self.grid.fractions > 0.1) & (self.grid.fractions < 0.9)
        return -2 * (self.grid.across_mm - (at * inner)[..., None]) ** 2


class KnowingModel:
    uses_noise_difference = False
    noise: dict = {}  # noqa: RUF012
    provenance = {"name": "knowing"}  # noqa: RUF012

    def __init__(self, readout=None, uncertainty=None, strips=None, **network):
        self.has_refinement, self._strips = strips is not None, strips
        self.uncertainty = uncertainty
        self.readout = {"septum": [0.36, 0.40], "smooth_mm": 0.0, "smooth_fraction": 0.0, **(readout or {})}
        self._network = Knowing(**network)

    def kind_of(self, component):
        return "midline_unet"

    def grid_of(self, component):
        return {"size": SIZE, "pixel_mm": STEP_MM, "length_mm": 198.0}

    def network(self, component):
        return self._strips if component == "refinement" else self._network


def flags(measurement):
    return {flag.code for flag in measurement.quality}


def test_every_number_belongs_to_its_slice():
    reported = []
    measurement, dense = measure_ct(head(), KnowingModel(), "cpu", lambda *step: reported.append(step))
    # heights -8..45 mm of 5 k - 40
    assert [m.index for m in measurement.slices] == list(range(7, 18))
    for m in measurement.slices:
        assert m.signed_shift_mm == pytest.approx(PUSH_PX * m.index * STEP_MM, abs=0.15)
        assert m.height_mm == pytest.approx(5 * m.index - 40, abs=1)
        assert m.source_slices == (2 * m.index, 2 * m.index + 1)
        assert m.authors_readout_mm is None
    measured = [m.index for m in measurement.slices]
    moved = np.abs(dense.displacement_mm).max((1, 2, 3)) > 0
    assert np.flatnonzero(moved).tolist() == measured
    assert measurement.side == "left" and measurement.model == {"name": "knowing"}
    assert flags(measurement) == set()
    assert reported[-1][0] == reported[-1][1]


def test_a_scan_is_aligned_once_to_its_final_pose(monkeypatch):
    """Two cuts of every slice find the pose; one of the chosen slices, in the pose's own frame, is measured."""
    cuts = {}

    def align(ct, frame, indices, device):
        cuts.setdefault((frame.angle, frame.scale, *frame.centre[0]), []).extend(indices.tolist())
        return cut(ct, frame, indices, device)

    monkeypatch.setattr(aligned_slices, "align", align)
    model = KnowingModel()
    outputs = run_networks(head(), model, "cpu")
    final = outputs.pose.frame(**model.grid_of("deformation"))
    assert cuts.pop((final.angle, final.scale, *final.centre[0])) == outputs.chosen.tolist()
    assert len(outputs.chosen) < SLICES
    assert list(cuts.values()) == 2 * [list(range(SLICES))]


def test_the_authors_readout_is_the_largest_displacement_of_all_slices_that_were_read():
    measurement, _ = measure_ct(head(), KnowingModel(), "cpu", authors_readout=True)
    for m in measurement.slices:
        assert m.authors_readout_mm == pytest.approx(PUSH_PX * m.index * STEP_MM, rel=0.03)
    # the highest slice read is that at 50 mm, beyond the measured ones
    assert measurement.authors_readout_mm == pytest.approx(PUSH_PX * 18 * STEP_MM, rel=0.03)
    assert measurement.authors_readout_mm > max(m.authors_readout_mm for m in measurement.slices)


def test_readings_that_differ_are_flagged():
    measurement, _ = measure_ct(head(), KnowingModel(field_factor=2.0), "cpu")
    assert flags(measurement) == {"readings-differ"}


def test_too_few_slices_at_the_septum_are_flagged():
    measurement, _ = measure_ct(head(), KnowingModel(lowest_mm=20.0), "cpu")
    assert "few-septum-slices" in flags(measurement)


def test_slices_that_read_to_either_side_are_flagged():
    large = 4.0 / (7 * STEP_MM)  # 4 mm on the lowest measured slice
    assert "both-sides" not in flags(measure_ct(head(), KnowingModel(push_px=large), "cpu")[0])
    assert "both-sides" in flags(measure_ct(head(), KnowingModel(push_px=large, other_way_from=12), "cpu")[0])


def calibration():
    signs = {name: FeatureWeight(0.0, 1.0, 1.0 if name == "readings" else 0.0) for name in FEATURES}
    return Uncertainty(np.log(0.5), signs, (0.5, 0.9, 0.95), (1.0, 2.0, 3.0)).to_json()


def test_only_a_calibrated_model_shows_how_sure_it_is():
    measurement, _ = measure_ct(head(), KnowingModel(), "cpu")
    assert measurement.interval_mm is measurement.p_over_5mm is None
    calibrated, _ = measure_ct(head(), KnowingModel(uncertainty=calibration()), "cpu")
    low, high = calibrated.interval_mm
    assert (low + high) / 2 == pytest.approx(calibrated.signed_shift_mm)
    # 2 x 0.5 mm to either side, and a little more for what field and maps differ by
    assert 2.0 <= high - low < 2.6
    assert 0.03 < calibrated.p_over_5mm < 0.08  # 5 mm is 2.1 sigma away


def test_readings_that_differ_widen_the_interval():
    alike, differing = (
        measure_ct(head(), KnowingModel(uncertainty=calibration(), field_factor=factor), "cpu")[0].interval_mm
        for factor in (1.0, 2.0)
    )
    assert differing[1] - differing[0] > 2 * (alike[1] - alike[0])


def test_a_calibration_that_is_none_is_refused():
    with pytest.raises(InputError, match=r"'uncertainty' of model\.json is not usable"):
        measure_ct(head(), KnowingModel(uncertainty={"log_sigma": 1}), "cpu")


@pytest.mark.parametrize("passes", [1, 2])
@pytest.mark.parametrize("side", [1, -1])
def test_a_second_look_moves_the_shift_toward_the_side_where_it_finds_the_midline(side, passes):
    """The strips' middle rows answer 3 columns of 0.75 mm; the head's scale turns these into the scan's millimetres."""
    reported, model = [], KnowingModel({"refinement_passes": passes}, strips=Strips(3 * side))
    once, _ = measure_ct(head(), KnowingModel(strips=Strips(0)), "cpu")
    twice, _ = measure_ct(head(), model, "cpu", lambda *step: reported.append(step))
    outputs = run_networks(head(), model, "cpu")
    assert [m.index for m in twice.slices] == [m.index for m in once.slices]
    for before, after in zip(once.slices, twice.slices, strict=True):
        moved = after.signed_shift_mm - before.signed_shift_mm
        assert moved == pytest.approx(passes * 3 * side * 0.75 * outputs.frame.scale, abs=0.1)
    assert [step[0] for step in reported] == sorted(step[0] for step in reported)
    assert reported[-1][0] == reported[-1][1]


def test_a_second_look_that_finds_nothing_new_measures_as_the_first_one():
    once, _ = measure_ct(head(), KnowingModel(), "cpu")
    twice, _ = measure_ct(head(), KnowingModel({"refined_smooth_mm": 0.0}, strips=Strips(0)), "cpu")
    for before, after in zip(once.slices, twice.slices, strict=True):
        # the curve leaves the line a little before the attachments' middle, which turns the new line by so much
        assert after.signed_shift_mm == pytest.approx(before.signed_shift_mm, rel=0.06, abs=0.02)


def test_a_second_look_that_moves_the_shift_widens_the_interval():
    content = calibration()
    content["signs"]["refined"] = {"mean": 0.0, "sd": 1.0, "weight": 1.0}
    low, high = measure_ct(head(), KnowingModel(uncertainty=content, strips=Strips(0)), "cpu")[0].interval_mm
    left, right = measure_ct(head(), KnowingModel(uncertainty=content, strips=Strips(3)), "cpu")[0].interval_mm
    assert right - left > 2 * (high - low)
    with pytest.raises(InputError, match="'refined' but no refinement network"):
        measure_ct(head(), KnowingModel(uncertainty=content), "cpu")


def test_cancelling_stops_a_second_look():
    strips = Strips(0)
    with pytest.raises(Cancelled):
        measure_ct(
            head(), KnowingModel({"refinement_passes": 1}, strips=strips), "cpu", cancelled=lambda: strips.batches > 0
        )
    assert strips.batches == 1


@pytest.mark.parametrize("passes", [0, 11])
def test_a_number_of_looks_that_makes_no_sense_is_refused(passes):
    with pytest.raises(InputError, match="refinement_passes must be 1 to 10"):
        measure_ct(head(), KnowingModel({"refinement_passes": passes}, strips=Strips(0)), "cpu")


@pytest.mark.parametrize("steps", [0, 1])
def test_cancelling_stops_between_batches(steps):
    asked = iter([False] * steps)
    with pytest.raises(Cancelled):
        measure_ct(head(), KnowingModel(), "cpu", cancelled=lambda: next(asked, True))


def test_unknown_parameters_of_the_model_are_refused():
    with pytest.raises(InputError, match=r"'readout' of model\.json sets 'quantil'"):
        measure_ct(head(), KnowingModel({"quantil": 1.0}), "cpu")


def test_the_heads_centre_is_that_of_its_largest_piece():
    ct = scan()
    ct.hu[:] = -1000
    ct.hu[:, 100:301, 60:261] = 30
    ct.hu[:, 350:380, 400:430] = 30  # a head rest
    row_mm, column_mm = ct.pixel_spacing
    assert head_centre(ct) == pytest.approx((160 * column_mm, 200 * row_mm), abs=2.0)
    ct.hu[:] = -1000
    with pytest.raises(RefusedError, match="No head") as error:
        head_centre(ct)
    assert error.value.code == "no-head"
