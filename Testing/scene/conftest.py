"""Scenes on real slicer-core, and measured scans to put into them."""

from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from synthetic_case import drawn_head, measured

from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.distance import CaseRule
from MidlineShiftLogic.measurement.pseudo_healthy import PseudoHealthy

SAMPLE = Path(__file__).parents[2] / "Resources" / "SampleScans" / "sample_shifted.nii.gz"
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass
class Case:
    """A scan in a scene. ``core``: the scene. ``volume``: its node. The others as in ``MidlineShiftLogic``."""

    core: object
    volume: object
    ct: HeadCT
    measurement: object
    dense: object


def affine_of(ct: HeadCT) -> np.ndarray:
    """(4, 4) (column, row, slice) -> LPS of a stack with one step; sheared for a tilted one."""
    affine = np.eye(4)
    affine[:3, 0] = ct.column_axis * ct.pixel_spacing[1]
    affine[:3, 1] = ct.row_axis * ct.pixel_spacing[0]
    affine[:3, 2] = ct.origins[1] - ct.origins[0]
    affine[:3, 3] = ct.origins[0]
    return affine


def stored(ct: HeadCT, order=(0, 1, 2), flipped=(False, False, False)) -> tuple[np.ndarray, np.ndarray]:
    """The scan as a file may store it.

    Args:
        order: which of (column, row, slice) is stored as axis i, j and k. flipped: stored axes that run backward.

    Returns:
        (i, j, k) values and (4, 4) index -> RAS.
    """
    values = ct.hu.transpose(2, 1, 0).transpose(order)
    affine = affine_of(ct)[:, [*order, 3]]
    for axis, turned in enumerate(flipped):
        if turned:
            values = np.flip(values, axis)
            affine[:, 3] += affine[:, axis] * (values.shape[axis] - 1)
            affine[:, axis] *= -1
    return values, LPS_TO_RAS @ affine


def small_head(shift_mm: float = 8.0) -> HeadCT:
    return drawn_head(shift_mm, shape=(20, 130, 110), spacing=(5.0, 1.5, 1.7))


def tilted(ct: HeadCT, degrees: float = 18.0) -> HeadCT:
    """The scan as a tilted gantry gives it: slices turned about the left-right axis, table moved along the body."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    steps = np.arange(ct.n_slices)[:, None] * np.array([0.0, 0.0, 5.0 / cos])
    return replace(ct, row_axis=np.array([0.0, cos, sin]), origins=ct.origins[0] + steps)


def measured_case(ct: HeadCT, shift_mm: float = 8.0):
    """(measurement, dense) of a drawn scan, the case's number chosen as the largest."""
    measurement, dense = measured(ct, shift_mm)
    return replace(measurement, case_rule=CaseRule(quantile=1.0)), dense


def painted(ct: HeadCT, slices=None) -> PseudoHealthy:
    """A pseudo-healthy image that is 10 HU and the slice's number in a rectangle of brain, off the middle."""
    slices = np.arange(5, 15) if slices is None else np.array(slices)
    hu = np.tile(10.0 + slices[:, None, None], (1, *ct.hu.shape[1:])).astype(np.float32)
    brain = np.zeros_like(hu)
    brain[:, 40:70, 30:80] = 1
    return PseudoHealthy(slices, hu, brain, {"name": "painter", "version": "3"})


@pytest.fixture()
def core(tmp_path):
    from mrml_core import SlicerCore

    return SlicerCore(tmp_path)


@pytest.fixture()
def case(core) -> Case:
    """A drawn scan with a shift of 8 mm to the left, stored left-handed."""
    return make_case(core)


def make_case(core, shift_mm=8.0, name="CT", change=lambda ct: ct, **storage) -> Case:
    from mrml_core import add_volume

    ct = change(small_head(shift_mm))
    volume = add_volume(core, *stored(ct, **(storage or {"flipped": (True, False, False)})), name)
    measurement, dense = measured_case(ct, shift_mm)
    return Case(core, volume, ct, measurement, dense)


@pytest.fixture(scope="session")
def sample():
    """The shipped shifted sample, measured by the shipped model: ``measurement`` and ``dense``."""
    from MidlineShiftLogic.api import measure_case
    from MidlineShiftLogic.models import load_model

    result = measure_case(SAMPLE, lambda: (load_model(None, "cpu"), "cpu"))
    return SimpleNamespace(path=SAMPLE, ct=result.ct, measurement=result.measurement, dense=result.dense)
