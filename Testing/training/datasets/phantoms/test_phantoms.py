"""Phantoms: their labels agree with their maps, and files are made once, whole and the same for any number of workers."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from midlineshift_training.cli.main import main
from midlineshift_training.datasets.phantoms import (
    acquisition,
    case,
    falx,
    fields,
    skull,
    subject,
    truth,
    variation,
)
from midlineshift_training.datasets.phantoms.lesions import draw as lesions
from midlineshift_training.datasets.phantoms.lesions.model import MASS, PARENCHYMAL
from midlineshift_training.distributed.generate_phantoms import generate_cases
from MidlineShiftLogic.errors import InputError

SEED = 3
CASES = 3


def load(path):
    with np.load(path) as stored:
        return {key: stored[key] for key in stored}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("phantoms")
    torch.set_num_threads(1)
    generate_cases(out, CASES, SEED, workers=1)
    return out


@pytest.fixture(scope="module")
def cases(folder):
    return [load(case.path_of(folder, index)) for index in range(CASES)]


def line_normal(phantom):
    return np.array([np.cos(phantom["line_angle"]), np.sin(phantom["line_angle"])])


def sampled(maps, points, stride):
    """Bilinear values of one (h, w) map whose pixel (i, j) is centred on picture pixel (i, j) * stride + (stride - 1) / 2."""
    where = (np.asarray(points) - (stride - 1) / 2) / stride / (np.array(maps.shape)[::-1] - 1) * 2 - 1
    grid = torch.from_numpy(where).float()[None, None]
    source = torch.from_numpy(np.asarray(maps, np.float32))[None, None]
    return torch.nn.functional.grid_sample(source, grid, align_corners=True)[0, 0, 0].numpy()


def test_shapes_and_units(cases):
    for phantom in cases:
        n = len(phantom["hu"])
        assert 22 <= n <= 36
        assert phantom["hu"].shape == (n, 256, 256) and phantom["hu"].dtype == np.int16
        assert phantom["displacement_px"].shape == phantom["inverse_px"].shape == (n, 2, 64, 64)
        assert phantom["inside"].shape == phantom["lesion"].shape == phantom["x_template"].shape == (n, 128, 128)
        assert np.all(np.diff(phantom["heights_mm"]) > 0)
        assert phantom["has_midline"].sum() >= 6
        assert 0.8 <= phantom["pixel_mm"] <= 1.1
        brain = phantom["hu"][:, ::2, ::2][(phantom["inside"] > 0) & (phantom["lesion"] == 0)]
        assert 15 < np.median(brain) < 45


def test_landmarks_are_on_the_line_and_on_the_curve(cases):
    for phantom in cases:
        normal = line_normal(phantom)
        for k in np.flatnonzero(phantom["has_midline"]):
            front, back, shifted, ideal = phantom["landmarks"][k].astype(float)
            for point in (front, back, ideal):
                assert point @ normal == pytest.approx(phantom["line_offset"][k], abs=0.02)
            along = np.array([-normal[1], normal[0]])
            assert (back - front) @ along > 60
            deviation = (shifted - ideal) @ normal * phantom["pixel_mm"]
            assert deviation == pytest.approx(phantom["signed_shift_mm"][k], abs=0.02)
            assert abs((shifted - ideal) @ along) < 0.02
            fraction = (ideal - front) @ along / ((back - front) @ along)
            assert 0.24 < fraction < 0.61


def test_shift_remeasured_from_the_template_coordinate(cases):
    steps = np.arange(-30, 30, 0.25)
    for phantom in cases:
        normal, pixel = line_normal(phantom), float(phantom["pixel_mm"])
        for k in np.flatnonzero(phantom["has_midline"]):
            front, back = phantom["landmarks"][k, :2].astype(float)
            x = np.nan_to_num(phantom["x_template"][k].astype(np.float32), nan=99.0)
            for fraction, expected in zip(truth.FRACTIONS[4:-4], phantom["midline_shift_mm"][k, 4:-4], strict=True):
                points = front + fraction * (back - front) + steps[:, None] / pixel * normal
                values = sampled(x, points, case.BLOCK)
                # x falls toward the patient's left, the direction of the normal.
                crossings = np.flatnonzero((values[:-1] >= 0) & (values[1:] < 0) & (values[:-1] < 60))
                nearest = crossings[np.argmin(np.abs(steps[crossings] - expected))]
                low, high = values[nearest], values[nearest + 1]
                assert steps[nearest] + 0.25 * low / (low - high) == pytest.approx(expected, abs=0.2)


def test_positive_shift_is_toward_larger_columns_and_the_field_points_back(cases):
    strongest = max(cases, key=lambda phantom: abs(float(phantom["case_shift_mm"])))
    assert abs(strongest["case_shift_mm"]) > 3
    k = int(np.nanargmax(np.where(strongest["has_midline"], np.abs(strongest["signed_shift_mm"]), 0)))
    _, _, shifted, ideal = strongest["landmarks"][k]
    sign = np.sign(strongest["signed_shift_mm"][k])
    assert np.sign(shifted[0] - ideal[0]) == sign
    node = 255 / 63
    column = sampled(strongest["displacement_px"][k, 1], shifted[None] / node, 1)[0]
    assert np.sign(column) == -sign
    # A mass on the patient's left pushes to the right, and the other way round.
    meta = json.loads(str(strongest["meta"]))
    assert meta["side"] == sign


def test_field_and_inverse_compose_to_the_identity(cases):
    nodes = truth.node_positions()
    for phantom in cases:
        field, inverse = (
            torch.from_numpy(phantom[key].astype(np.float32)) for key in ("displacement_px", "inverse_px")
        )
        back = inverse + truth.interpolate_field(field, nodes + inverse)
        assert float(back.norm(dim=1).max()) < 0.1
        blocks = torch.arange(128) * 2 + 0.5
        dense = torch.stack(torch.meshgrid(blocks, blocks, indexing="ij"))[None].expand(len(field), -1, -1, -1)
        between = truth.interpolate_field(inverse, dense)
        error = (between + truth.interpolate_field(field, dense + between)).norm(dim=1)
        assert float(error[torch.from_numpy(phantom["inside"]) > 0].quantile(0.9)) < 0.1


def test_the_wished_shift_is_reached(cases):
    for phantom in cases:
        meta = json.loads(str(phantom["meta"]))
        wished = meta["side"] * meta["target_mm"]
        assert float(phantom["case_shift_mm"]) == pytest.approx(wished, abs=max(0.7, 0.12 * abs(wished)))


def test_a_mass_in_the_brain_stays_on_its_side(cases):
    inside = [phantom["x_template"][np.isin(phantom["lesion"], (PARENCHYMAL, MASS))] for phantom in cases]
    assert sum(map(len, inside)) > 100
    assert min(np.abs(x.astype(float)).min() for x in inside if len(x)) > 0.5


def test_the_falx_gives_way_below_its_free_edge_only():
    freedom = falx.sideways_freedom(np.random.default_rng(2))[None]
    septum, vertex, hemisphere = fields.sample(
        freedom, torch.tensor([[0.0, 5.0, 12.0], [0.0, 5.0, 64.0], [60.0, 5.0, 64.0]])
    )[0].tolist()
    assert vertex < 0.3 < 0.9 < min(septum, hemisphere)


def test_doubled_slices_stay_where_they_were():
    rng = np.random.default_rng(4)
    hu = np.full((5, 256, 256), -1000, np.float32)
    hu[:, 90:150, 100:180] = 40
    before = hu.copy()
    moved = acquisition._move_slices(rng, hu)
    grid = np.mgrid[:256, :256]
    for k in range(5):
        assert (k in moved) == bool(np.any(hu[k] != before[k]))
        weights = [(picture[k] + 1000) / (picture[k] + 1000).sum() for picture in (before, hu)]
        first, second = ((grid * weight).sum((1, 2)) for weight in weights)
        np.testing.assert_allclose(second, first, atol=0.3)


def test_a_missing_flap_spares_the_midline_and_the_other_side():
    flap = subject.Surgery(-1, (-60.0, 0.0, 22.0), 50.0, (58.0, 42.0), removed=True, bulge_mm=8.0)
    points = torch.tensor(
        [[-70.0, 0.0, 22.0], [-70.0, 45.0, 22.0], [-70.0, 0.0, 75.0], [-5.0, 0.0, 40.0], [70.0, 0.0, 22.0]]
    )
    outside = skull._beyond_flap(flap, points, torch.zeros(3, 5))
    assert (outside < 0).tolist() == [True, True, False, False, False]


@pytest.mark.parametrize("seed", [5, 6, 7])
def test_natural_variation_keeps_the_mid_plane(seed):
    rng = np.random.default_rng(seed)
    natural = variation.draw(rng, subject.draw(rng))
    twisted = variation._plagiocephaly(rng, 16.0)
    natural = variation.Variation(natural.skull + twisted, natural.brain + twisted)
    y, z = np.meshgrid(np.arange(-90, 60, 7.3), np.arange(-40, 70, 6.1))
    plane = torch.from_numpy(np.stack([0 * y, y, z], -1)).float()
    assert float(natural.to_template(plane)[..., 0].abs().max()) < 1e-4
    assert float(natural.brain_to_template(plane)[..., 0].abs().max()) < 1e-4


def test_exponential_of_the_negative_is_the_inverse():
    rng = np.random.default_rng(6)
    velocity = torch.stack([fields.noise(rng, 20) for _ in range(3)]) * 3
    points = torch.from_numpy(rng.uniform(-50, 50, (200, 3))).float()
    there = fields.move(fields.exponential(velocity), points)
    assert float((fields.move(fields.exponential(-velocity), there) - points).norm(dim=1).max()) < 0.3
    assert float((fields.follow(velocity, points) - there).norm(dim=1).max()) < 0.3


def test_unshifted_head_is_nearly_straight():
    for index in range(40):
        rng = np.random.default_rng([SEED, index])
        who = subject.draw(rng)
        natural = variation.draw(rng, who)
        disease = lesions.draw(rng, who, natural)
        if not disease.kinds:
            septum = torch.tensor([[0.0, y, 12.0] for y in range(-30, 45, 5)])
            moved = fields.move(disease.backward, septum)
            assert float((moved - septum)[:, 0].abs().max()) < 2.0
            return
    pytest.fail("no unshifted head among 40")


def test_same_case_for_any_number_of_workers_and_cases(folder, cases, tmp_path):
    generate_cases(tmp_path, 2, SEED, workers=2)
    for index in range(2):
        again = load(case.path_of(tmp_path, index))
        assert again.keys() == cases[index].keys()
        for key, value in cases[index].items():
            if key == "meta":
                first, second = json.loads(str(value)), json.loads(str(again[key]))
                del first["seconds"], second["seconds"]
                assert first == second
            else:
                np.testing.assert_array_equal(again[key], value, err_msg=key)


def test_finished_cases_are_kept(folder, monkeypatch):
    monkeypatch.setattr(case, "generate", lambda seed, index: pytest.fail("generated again"))
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    generate_cases(folder, CASES, SEED, workers=1)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_interrupted_write_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(stream, arrays):
        stream.write(b"half a file")
        raise KeyboardInterrupt

    monkeypatch.setattr(case, "generate", lambda seed, index: {})
    monkeypatch.setattr(case, "_save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        case.write(tmp_path, 0, 0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("options", [{"cases": 0}, {"workers": 0}, {"seed": -1}])
def test_bad_numbers_are_refused(tmp_path, options):
    arguments = {"cases": 1, "seed": 0, "workers": 1} | options
    with pytest.raises(InputError, match=next(iter(options))):
        generate_cases(tmp_path, **arguments)


def test_bad_folder_is_one_sentence(tmp_path):
    blocked = tmp_path / "file"
    blocked.touch()
    result = CliRunner().invoke(main, ["phantoms", "--out", str(blocked / "deeper"), "--cases", "1"])
    assert result.exit_code == InputError.exit_code
    assert "Cannot write phantoms" in result.output
    assert "Traceback" not in result.output
