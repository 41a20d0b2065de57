"""Scans as scanners and archives make them; skipped where they are not beside the checkout."""

import numpy as np
import pytest

from MidlineShiftLogic.headct import check, find_series, read

pytestmark = pytest.mark.real


def test_tilted_folder_with_two_thicknesses_is_one_scan(shared_data):
    folder = shared_data / "data" / "ge_gantry_tilt"
    if not folder.is_dir():
        pytest.skip(f"no tilted series at {folder}")
    (info,) = find_series(folder)
    assert info.chosen and info.n_images == 28
    ct = read(folder)
    assert ct.hu.shape == (28, 512, 512)
    assert {flag.code: flag.severity for flag in (*ct.quality, *check(ct))} == {
        "gantry-tilt": "info",
        "irregular-spacing": "info",
    }
    tilt = np.radians(18.5)
    np.testing.assert_allclose(ct.normal, [0, np.sin(tilt), np.cos(tilt)], atol=1e-5)
    np.testing.assert_allclose(ct.origins[:, :2], np.tile([-125.0, -123.5404569], (28, 1)), atol=1e-6)
    expected = [4.22] * 13 + [1.14] + [7.38] * 13
    np.testing.assert_allclose(np.diff(ct.origins[:, 2]), expected, atol=1e-6)
    np.testing.assert_allclose(np.diff(ct.heights), np.array(expected) * np.cos(tilt), atol=1e-4)
    np.testing.assert_array_equal(ct.thickness, [4.0] * 14 + [7.0] * 14)
    assert len({uid for uids in ct.sop_instance_uids for uid in uids}) == 28
    # The pixels are those of the files: nothing was resampled.
    import pydicom

    first = pydicom.dcmread(folder / "01.dcm")
    stored = first.pixel_array.astype(np.float32)
    inside = stored > -1500
    np.testing.assert_array_equal(ct.hu[0][inside], stored[inside])
    assert (ct.hu[0][~inside] == -1000).all()


@pytest.mark.slow
def test_no_rebuilt_scan_is_refused(shared_data):
    """Children, infants, a craniectomy: only those whose skull is open are even warned of."""
    scans = sorted((shared_data / "data" / "ctich").glob("*.nii.gz"))
    if not scans:
        pytest.skip("no rebuilt scans")
    warned = {}
    for path in scans:
        ct = read(path)
        flags = (*ct.quality, *check(ct))
        assert not [flag for flag in flags if flag.severity == "fatal"], (path.name, flags)
        warned.update({path.name[6:9]: [flag.code for flag in flags]} if flags else {})
    assert warned == {"085": ["skull-open"], "094": ["skull-open"]}
