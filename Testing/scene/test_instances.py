"""The slices' thickness, which a volume node does not keep: asked of the DICOM database, or taken from the slices' steps."""

from dataclasses import replace

import numpy as np
import pytest
from mrml_core import slicer
from slicer_dicom import database_of, load_like_slicer, uids_of

from MidlineShiftLogic.headct import read
from MidlineShiftLogic.scene import head_ct_from_volume

from .conftest import small_head, tilted

CODES = {"gantry-tilt", "irregular-spacing"}


def two_blocks(thin_mm=4.0, gap_mm=1.1, thick_mm=7.0, slices=8):
    """A tilted scan of thin slices below and thick ones above, which overlap where they meet."""
    ct = tilted(small_head())
    steps = [thin_mm] * (slices - 1) + [gap_mm] + [thick_mm] * (ct.n_slices - slices - 1)
    places = np.append(0.0, np.cumsum(steps))
    along = (ct.origins[1] - ct.origins[0]) / (np.diff(ct.heights)[0])
    thickness = np.array([thin_mm] * slices + [thick_mm] * (ct.n_slices - slices))
    return replace(ct, origins=ct.origins[0] + places[:, None] * along, thickness=thickness)


@pytest.fixture()
def database(monkeypatch):
    """Called with a scan: Slicer's database knows its images."""
    return lambda ct: monkeypatch.setattr(slicer, "dicomDatabase", database_of(ct), raising=False)


def test_no_slices_are_joined_where_blocks_meet(core):
    truth = two_blocks()
    found = head_ct_from_volume(load_like_slicer(core, truth))
    np.testing.assert_allclose(found.thickness, truth.thickness, atol=0.01)
    np.testing.assert_allclose(found.origins, truth.origins, atol=1e-3)
    np.testing.assert_array_equal(found.hu, truth.hu)
    assert {flag.code for flag in found.quality} == CODES


def test_a_missing_slice_is_still_reported(core):
    ct = tilted(small_head())
    members = [index for index in range(ct.n_slices) if index != 9]
    lost = replace(ct, hu=ct.hu[members], origins=ct.origins[members], thickness=ct.thickness[members])
    found = head_ct_from_volume(load_like_slicer(core, lost))
    assert "missing-slices" in {flag.code for flag in found.quality} and found.n_slices == len(members)


def test_the_database_shows_what_the_steps_cannot(core, database):
    """Slices of 5 mm every 2.5 mm: by their steps they look thin and would be averaged in pairs."""
    ct = tilted(small_head())
    truth = replace(ct, origins=ct.origins[0] + (ct.origins - ct.origins[0]) / 2, thickness=np.full(ct.n_slices, 5.0))
    volume = load_like_slicer(core, truth)
    assert head_ct_from_volume(volume).n_slices == ct.n_slices // 2
    database(truth)
    found = head_ct_from_volume(volume)
    assert found.n_slices == ct.n_slices
    np.testing.assert_allclose(found.thickness, 5.0)


def test_each_slice_is_reported_its_own_image(core, database):
    truth = two_blocks()
    database(truth)
    volume = load_like_slicer(core, truth)
    found = head_ct_from_volume(volume)
    assert found.sop_instance_uids == tuple((uid,) for uid in uids_of(truth))
    np.testing.assert_allclose(found.thickness, truth.thickness)


def test_slices_that_were_not_put_right_are_reported(core, database):
    truth = two_blocks()
    database(truth)
    volume = load_like_slicer(core, truth)
    volume.SetAndObserveTransformNodeID(None)
    flags = {flag.code: flag for flag in head_ct_from_volume(volume).quality}
    assert flags["moved-slices"].severity == "warning" and "3.1 mm" in flags["moved-slices"].message


@pytest.mark.parametrize("lost", ["an image", "positions"])
def test_a_database_that_lacks_something_does_no_harm(core, database, lost):
    truth = two_blocks()
    database(truth)
    volume = load_like_slicer(core, truth)
    ask = slicer.dicomDatabase.instanceValue

    def forgetful(uid, tag):
        if lost == "an image" and uid == uids_of(truth)[3]:
            raise RuntimeError("no such file")
        return "" if lost == "positions" and tag == "0020,0032" else ask(uid, tag)

    slicer.dicomDatabase.instanceValue = forgetful
    found = head_ct_from_volume(volume)
    np.testing.assert_allclose(found.thickness, truth.thickness, atol=0.01)
    assert {flag.code for flag in found.quality} == CODES


@pytest.mark.real
def test_two_thicknesses_of_a_tilted_scanner_are_the_files(core, shared_data):
    truth = read(shared_data / "data" / "ge_gantry_tilt")
    found = head_ct_from_volume(load_like_slicer(core, truth))
    assert found.n_slices == truth.n_slices == 28
    np.testing.assert_array_equal(found.hu, truth.hu)
    np.testing.assert_allclose(found.origins, truth.origins, atol=1e-3)
    np.testing.assert_allclose(found.thickness, truth.thickness, atol=0.01)
