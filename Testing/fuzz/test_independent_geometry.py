"""The comparison of the fuzz harness with other libraries: it agrees on intact files, and sees what is wrong."""

from dataclasses import replace

import independent_geometry
import numpy as np
import pytest
from seeds import SPACING, write_seeds

from MidlineShiftLogic.headct import read

KINDS = ("nifti", "nifti-gz", "metaimage", "nrrd", "dicom", "dicom-compressed")


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    found = write_seeds(tmp_path_factory.mktemp("seeds"))
    return [path for kind in KINDS for path in found.get(kind, [])]


def test_intact_seeds_agree_with_other_libraries(seeds):
    assert len(seeds) > 9
    for path in seeds:
        assert independent_geometry._in_child(lambda path=path: independent_geometry._reference(path)), path.name
        assert independent_geometry.differs(path, read(path, SPACING if path.suffix == ".npy" else None)) is None, path


def test_wrong_geometry_is_seen(seeds):
    for path in (one for one in seeds if one.name in ("plain.nii", "raw.mha", "packed.nrrd", "enhanced.dcm")):
        ct = read(path)
        row, column = ct.pixel_spacing
        wrong = {
            "mirrored": replace(ct, hu=ct.hu[:, :, ::-1]),
            "front to back": replace(ct, hu=ct.hu[:, ::-1]),
            "upside down": replace(ct, hu=ct.hu[::-1]),
            "pixel size": replace(ct, pixel_spacing=(row, column * 1.02)),
            "moved": replace(ct, origins=ct.origins + np.array([2.0, 0, 0])),
            "slope": replace(ct, hu=ct.hu * 1.25),
        }
        for name, one in wrong.items():
            assert independent_geometry.differs(path, one), (path.name, name)


def test_a_library_that_crashes_or_hangs_is_not_compared(monkeypatch):
    import os

    monkeypatch.setattr(independent_geometry, "LIMIT_SECONDS", 1)

    def hang():
        while True:
            pass

    for work in (lambda: os._exit(1), lambda: 1 / 0, hang):
        assert independent_geometry._in_child(work) is None
