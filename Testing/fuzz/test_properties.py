"""Properties of headers and geometry, for any values: the scan is the same in the patient, or it is refused in a sentence."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from seeds import head, metaimage, nrrd

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct import check, read
from MidlineShiftLogic.headct.assemble import assemble
from MidlineShiftLogic.headct.canonical import from_volume

QUICK = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

NUMBERS = st.one_of(
    st.sampled_from(["0", "-1", "3", "14", "52", "99999", "4294967296", "1e308", "nan", "-inf", "%n", "", "A" * 300]),
    st.integers(-(10**20), 10**20).map(str),
    st.floats(width=64).map(repr),
    st.text(max_size=40),
)
VALUES = st.lists(NUMBERS, max_size=12).map(" ".join)


def load(path):
    """The scan, or None where it was refused properly."""
    try:
        ct = read(path)
        check(ct)
    except InputError as error:
        assert str(path) in str(error) and "\n" not in str(error)
        return None
    return ct


@QUICK
@given(
    name=st.sampled_from(
        [
            "NDims",
            "DimSize",
            "ElementType",
            "ElementSpacing",
            "TransformMatrix",
            "Offset",
            "HeaderSize",
            "CompressedData",
        ]
    ),
    value=VALUES,
)
def test_any_metaimage_field(tmp_path, name, value):
    header, data = metaimage(head())
    lines = [line for line in header.decode().splitlines() if not line.startswith(name + " ")]
    lines.insert(1, f"{name} = {value}")
    (tmp_path / "a.mha").write_bytes(("\n".join(lines) + "\n").encode("utf-8", "replace") + data)
    load(tmp_path / "a.mha")


@QUICK
@given(
    name=st.sampled_from(
        ["dimension", "sizes", "type", "space", "space directions", "space origin", "spacings", "endian"]
    ),
    value=VALUES,
)
def test_any_nrrd_field(tmp_path, name, value):
    header, data = nrrd(head())
    lines = [line for line in header.decode().splitlines() if not line.startswith(name + ":")]
    lines.insert(1, f"{name}: {value}")
    text = "\n".join(line for line in lines if line) + "\n\n"
    (tmp_path / "a.nrrd").write_bytes(text.encode("utf-8", "replace") + data)
    load(tmp_path / "a.nrrd")


def rotation(angles):
    """(3, 3) rotation by three angles in degrees."""
    matrix = np.eye(3)
    for axis, angle in enumerate(np.radians(angles)):
        one, two = [other for other in range(3) if other != axis]
        turn = np.eye(3)
        turn[one, one] = turn[two, two] = np.cos(angle)
        turn[one, two], turn[two, one] = -np.sin(angle), np.sin(angle)
        matrix = matrix @ turn
    return matrix


@QUICK
@given(
    order=st.permutations(range(3)),
    signs=st.tuples(*[st.sampled_from((-1, 1))] * 3),
    angles=st.tuples(*[st.floats(-14, 14)] * 3),
    steps=st.tuples(st.floats(0.3, 1.2), st.floats(0.3, 1.2), st.floats(3.5, 8)),
    origin=st.tuples(*[st.floats(-500, 500)] * 3),
)
def test_a_voxel_stays_where_it_is_in_the_patient(order, signs, angles, steps, origin):
    """In every storage order and orientation, the marked voxel has the place that the affine gives it."""
    shape = tuple(np.array((7, 6, 5))[list(order)])
    affine = np.eye(4)
    affine[:3, :3] = (rotation(angles) * np.array(steps) * np.array(signs))[:, list(order)]
    affine[:3, 3] = origin
    voxels = np.zeros(shape, np.int16)
    marked = tuple(length // 3 for length in shape)
    voxels[marked] = 1000
    ct = assemble(from_volume(voxels, affine))
    index, row, column = np.argwhere(ct.hu == 1000)[0]
    found = ct.to_lps(int(index), np.array([column, row], float))
    np.testing.assert_allclose(found, affine[:3, :3] @ marked + affine[:3, 3], atol=1e-6)
    assert ct.column_axis[0] > 0 and ct.row_axis[1] > 0 and (np.diff(ct.heights) > 0).all()
    assert ct.pixel_spacing == pytest.approx((steps[1], steps[0]))


@QUICK
@given(values=st.lists(st.floats(width=64), min_size=16, max_size=16))
def test_any_affine_is_used_or_refused(values):
    affine = np.array(values).reshape(4, 4)
    try:
        ct = assemble(from_volume(np.zeros((4, 5, 6), np.int16), affine))
    except InputError as error:
        assert error.code == "no-geometry"
        return
    assert np.isfinite(ct.origins).all() and min(ct.pixel_spacing) > 0
    check(ct)
