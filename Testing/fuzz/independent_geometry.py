"""Compare where a loaded scan says its voxels are with what another library reads from the same file.

NIfTI is read by nibabel, MetaImage and NRRD by SimpleITK, DICOM by pydicom. These crash or hang on some mutated files, so
that they run in a child with a limit; what they cannot read is not compared.
"""

from __future__ import annotations

import os
import pickle
import resource
import signal
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from MidlineShiftLogic.headct.headct import HeadCT

Picture = tuple[np.ndarray, np.ndarray]
"""(voxels of one part of a file, (4, 4) their index -> LPS mm)."""

LIMIT_SECONDS, LIMIT_BYTES = 5, 1_500_000_000
OFF_GRID = 0.02
"""In voxels: headers round their numbers."""

MIN_EQUAL = 0.9995
"""Share of the voxels with equal values: the head of the seeds is mirrored but for a marker of 0.1 %."""

RESAMPLED = {"reformatted", "nan-padding", "duplicate-slices"}
"""Flags of scans whose voxels are no longer those of the file."""


def differs(path: Path, ct: HeadCT) -> str | None:
    """Return how a loaded scan and another library's reading differ; None where they agree or cannot be compared."""
    if RESAMPLED & {flag.code for flag in ct.quality}:
        return None
    pictures = _in_child(lambda: _reference(path))
    if not pictures:
        return None
    compared = [_compare(ct, voxels, affine) for voxels, affine in pictures]
    return next((text for text in compared if text), None)


def _compare(ct: HeadCT, voxels: np.ndarray, affine: np.ndarray) -> str | None:
    """Look up every voxel of the other library at its place in the scan."""
    index = np.indices(voxels.shape).reshape(3, -1)
    places = (affine[:3, :3] @ index).T + affine[:3, 3]
    heights = places @ ct.normal
    nearest = np.abs(heights[:, None] - ct.heights[None]).argmin(1)
    step = float(np.median(np.diff(ct.heights))) if ct.n_slices > 1 else 1.0
    apart = np.abs(heights - ct.heights[nearest]) / abs(step)
    offset = places - ct.origins[nearest]
    row = offset @ ct.row_axis / ct.pixel_spacing[0]
    column = offset @ ct.column_axis / ct.pixel_spacing[1]
    off_grid = max(apart.max(), np.abs(row - np.rint(row)).max(), np.abs(column - np.rint(column)).max())
    rows, columns = np.rint(row).astype(int), np.rint(column).astype(int)
    inside = (rows >= 0) & (rows < ct.hu.shape[1]) & (columns >= 0) & (columns < ct.hu.shape[2])
    if off_grid > OFF_GRID or not inside.all():
        return f"voxels {off_grid:.2f} of a voxel off, {(~inside).sum()} outside"
    ours, theirs = ct.hu[nearest, rows, columns], voxels.reshape(-1)
    equal = np.isclose(ours, theirs, rtol=1e-3, atol=0.1) | ~np.isfinite(theirs) | (np.abs(theirs) > 1e30)
    return None if equal.mean() >= MIN_EQUAL else f"only {equal.mean():.2f} of the voxels have equal values"


def _reference(path: Path) -> list[Picture]:
    reader = {".nii": _nifti, ".gz": _nifti, ".dcm": _dicom}.get(path.suffix, _itk)
    return reader(path)


def _nifti(path: Path) -> list[Picture]:
    import nibabel

    image = nibabel.load(path)
    unit = {"meter": 1000.0, "micron": 0.001}.get(image.header.get_xyzt_units()[0], 1.0)
    affine = np.diag([-1.0, -1, 1, 1]) @ image.affine
    affine[:3] *= unit
    return [(np.asarray(image.dataobj, dtype=np.float64).reshape((*image.shape, 1, 1)[:3]), affine)]


def _itk(path: Path) -> list[Picture]:
    import SimpleITK

    image = SimpleITK.ReadImage(str(path))
    size = image.GetDimension()
    affine = np.eye(4)
    affine[:size, :size] = np.reshape(image.GetDirection(), (size, size)) * image.GetSpacing()
    affine[:size, 3] = image.GetOrigin()
    voxels = SimpleITK.GetArrayFromImage(image).T
    return [(voxels.reshape((*voxels.shape, 1)[:3]), affine)]


def _dicom(path: Path) -> list[Picture]:
    """Every frame by its own plane, by pydicom's names and the formula of PS3.3 C.7.6.2."""
    import pydicom

    dataset = pydicom.dcmread(path)
    pixels = dataset.pixel_array
    if "PerFrameFunctionalGroupsSequence" not in dataset:
        return [_frame(pixels, [dataset], dataset)]
    shared = dataset.SharedFunctionalGroupsSequence[0]
    groups = [[frame, shared] for frame in dataset.PerFrameFunctionalGroupsSequence]
    names = ("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence")
    frames = []
    for picture, pair in zip(pixels, groups, strict=True):
        found = [next(group[name][0] for group in pair if name in group) for name in names]
        value = next(
            (g.PixelValueTransformationSequence[0] for g in pair if "PixelValueTransformationSequence" in g), None
        )
        frames.append(_frame(picture, found, value or dataset))
    return frames


def _frame(picture: np.ndarray, sources: list, rescale) -> Picture:
    position, orientation, spacing = (
        np.array(next(one[name].value for one in sources if name in one), dtype=float)
        for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
    )
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = orientation[3:] * spacing[0], orientation[:3] * spacing[1]
    affine[:3, 2] = np.cross(orientation[:3], orientation[3:])
    affine[:3, 3] = position
    slope, intercept = (
        float(rescale.get(name, value)) for name, value in (("RescaleSlope", 1), ("RescaleIntercept", 0))
    )
    return picture[..., None] * slope + intercept, affine


def _data_bytes() -> int:
    """Return the memory that this process has, and a forked child at its start."""
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[5]) * resource.getpagesize()


def _in_child(work: Callable[[], list[Picture]]) -> list[Picture] | None:
    """Return what ``work`` returns, None where it fails, crashes or exceeds its limits."""
    here, there = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_CPU, (LIMIT_SECONDS, LIMIT_SECONDS))
            limit = _data_bytes() + LIMIT_BYTES
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            warnings.simplefilter("ignore")
            with os.fdopen(there, "wb") as stream:
                pickle.dump(work(), stream)
        finally:
            os._exit(0)
    os.close(there)
    with os.fdopen(here, "rb") as stream:
        content = stream.read()
    os.waitpid(child, 0)
    try:
        return pickle.loads(content)
    except (EOFError, pickle.UnpicklingError):
        return None
