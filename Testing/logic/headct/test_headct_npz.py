"""A scan handed over as ``.npz``: nothing is lost, and nothing else is taken for one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from synthetic_case import drawn_head

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct import npz, read
from MidlineShiftLogic.quality import Quality


@pytest.fixture
def tilted():
    """Uneven, tilted, with everything that is noted of a scan."""
    head = drawn_head(shape=(9, 40, 30))
    uneven = head.origins + np.linspace(0, 1, 9)[:, None] ** 2 * (0, 8, 20)
    return replace(
        head,
        origins=uneven,
        source={"format": "DICOM", "é": [1, 2]},
        source_slices=tuple((i, i + 1) for i in range(9)),
        quality=(Quality("gantry-tilt", "info", "Tilted."),),
    )


def test_nothing_is_lost(tilted, tmp_path):
    path = tmp_path / "scan.npz"
    npz.write_npz(path, tilted)
    back = read(path)
    for name in ("hu", "origins", "column_axis", "row_axis", "thickness"):
        assert np.array_equal(getattr(back, name), getattr(tilted, name)), name
    for name in ("pixel_spacing", "source", "source_slices", "quality"):
        assert getattr(back, name) == getattr(tilted, name), name


def test_damage_is_reported(tilted, tmp_path, monkeypatch):
    path = tmp_path / "scan.npz"
    with monkeypatch.context() as later:
        later.setattr(npz, "FORMAT", "midlineshift-headct/9")
        npz.write_npz(path, tilted)
    with pytest.raises(InputError, match="headct/9"):
        read(path)
    npz.write_npz(path, replace(tilted, thickness=tilted.thickness[:-1]))
    with pytest.raises(InputError, match="damaged"):
        read(path)
    np.savez(path, something=np.zeros(3))
    with pytest.raises(InputError, match=r"scan\.npz"):
        read(path)
