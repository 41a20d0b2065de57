"""Load a DICOM series as it is: per-slice positions, tilt and gaps are kept; nothing is resampled."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.canonical import from_planes, from_volume
from MidlineShiftLogic.headct.dicom_folder import look_into_folder
from MidlineShiftLogic.headct.dicom_pixels import FramePixels
from MidlineShiftLogic.headct.frames import Frame, frames_of, read_header
from MidlineShiftLogic.headct.series import SeriesInfo, group, is_sharp, rank, why_not
from MidlineShiftLogic.headct.stack import AxialStack
from MidlineShiftLogic.headct.stored_values import MAX_AXIS
from MidlineShiftLogic.progress import Progress, silent
from MidlineShiftLogic.quality import Quality

SAME_PLACE_MM = 0.01
"""Pictures of one series this close are the same slice stored twice; the thinnest reconstructions step by 0.1 mm."""

STEP_TOLERANCE = 0.02
"""Share by which the steps of a sagittal or coronal series may differ if it is to be cut into axial slices."""


def read_folder(folder: Path, progress: Progress | None = None) -> AxialStack:
    """Load the chosen series of a folder (see ``find_series``).

    Raises:
        InputError: no DICOM, no head CT among it, images of several patients or studies, damaged or undecodable images.
    """
    content = look_into_folder(folder, progress)
    _refuse_mixed(content.series, folder)
    stack = _read_chosen(content.series, folder, progress)
    stack.quality.extend(_name_flags(content.series))
    if content.damaged:
        stack.quality.append(
            Quality(
                "damaged-files",
                "warning",
                f"{content.damaged} DICOM files of the folder are damaged and were left out; copy or export them again if "
                "they belong to the series.",
            )
        )
    return stack


def _refuse_mixed(found: list[SeriesInfo], folder: Path) -> None:
    """Raise InputError for images of several patients or studies: a number of one could be filed with the other."""
    frames = [frame for info in found for frame in info.frames if frame.has_pixels]
    # A name may be written in several ways, so it only decides where there is no number.
    patients = {(frame.patient_id, "" if frame.patient_id else frame.patient_name) for frame in frames}
    studies = {frame.study_uid for frame in frames if frame.study_uid}
    if len(patients) > 1 or len(studies) > 1:
        what = f"{len(patients)} patients" if len(patients) > 1 else f"{len(studies)} studies"
        raise InputError(
            f"{folder} holds images of {what}; give a folder with the images of one study.", "mixed-studies"
        )


def _name_flags(found: list[SeriesInfo]) -> list[Quality]:
    names = {frame.patient_name for info in found for frame in info.frames if frame.has_pixels and frame.patient_name}
    if len(names) < 2:
        return []
    return [
        Quality(
            "patient-names",
            "warning",
            f"The images of the folder name the patient in {len(names)} ways with the same patient number; check that they "
            "are of one patient.",
        )
    ]


def read_file(file: Path) -> AxialStack:
    """Return the pictures of one DICOM file: a slice, or a multi-frame scan."""
    header = read_header(file)
    frames = [] if header is None else frames_of(header, file)
    if not frames:
        raise InputError(
            f"{file} is a DICOM file without images, or a damaged one; give the folder with the CT images.", "no-dicom"
        )
    return _read_chosen(rank(group(frames)), file, None, alone=True)


def _read_chosen(found: list[SeriesInfo], path: Path, progress: Progress | None, alone: bool = False) -> AxialStack:
    info = found[0]
    objection = why_not(info)
    # A file given by itself may be one slice: it is loaded, and `check` reports that it is too few.
    single = alone and info.modality == "CT" and info.frames[0].grey and info.placed
    if objection and not single:
        seen = "; ".join(f"series {entry.number}: {entry.reason}" for entry in found[:6])
        raise InputError(f"{path} holds no head CT that can be measured ({seen}); give a CT series.", _code(found))
    if info.n_images > MAX_AXIS:
        raise InputError(f"{path} holds {info.n_images} images in one series, which is no head CT.", "no-head-ct")
    frames, flags = _sorted_frames(info.frames)
    flags += _series_flags(info, found[1:])
    pixels = FramePixels(frames, flags)
    first, places = frames[0], [frame.placed() for frame in frames]
    uids = tuple(frame.sop_instance_uid for frame in frames)
    if info.orientation == "axial" or len(frames) < 2:
        stack = from_planes(
            plane=lambda index: pixels.hounsfield(frames[index]),
            shape=first.shape,
            origins=np.array([place.position for place in places]),
            column_axis=places[0].across,
            row_axis=places[0].down,
            pixel_spacing=places[0].pixel_spacing,
            thickness=np.array([frame.thickness for frame in frames]),
            sop_instance_uids=uids,
        )
    else:
        stack = _cut_axially(info, frames, pixels, progress or silent)
    stack.frames = tuple(frames)
    stack.source.update(
        format="DICOM",
        stored_shape=[len(frames), *first.shape],
        stored_spacing_mm=[
            round(float(info.step_mm or first.thickness), 4),
            *(round(step, 4) for step in places[0].pixel_spacing),
        ],
        instance_numbers=instance_numbers(frames),
        kernel=info.kernel,
        acquired=min((frame.acquired for frame in frames if frame.acquired), default=None),
        other_series=[
            {"number": entry.number, "images": entry.n_images, "reason": entry.reason} for entry in found[1:]
        ],
    )
    flags[:0] = stack.quality
    stack.quality = flags  # more are added while the pixels are loaded
    return stack


def instance_numbers(frames: Sequence[Frame]) -> list[int] | None:
    """The number by which a PACS counts each image; of a multi-frame file, that of the frame. None where not one each."""
    images, pictures = [frame.order[1] for frame in frames], [frame.order[2] + 1 for frame in frames]
    for numbers in (images, pictures):
        if len(set(numbers)) == len(numbers) and min(numbers) > 0:
            return numbers
    return None


def _code(found: list[SeriesInfo]) -> str:
    return "not-ct" if all(info.modality != "CT" or not info.frames[0].grey for info in found) else "no-head-ct"


def _sorted_frames(frames: tuple[Frame, ...]) -> tuple[list[Frame], list[Quality]]:
    """Return the frames upward along their normal, one for each place, and what was found on the way."""
    normal = frames[0].placed().normal
    ordered = sorted(frames, key=lambda frame: (round(float(frame.placed().position @ normal), 3), frame.order))
    kept = [ordered[0]]
    for frame in ordered[1:]:
        if float((frame.placed().position - kept[-1].placed().position) @ normal) > SAME_PLACE_MM:
            kept.append(frame)
    flags = []
    if len(kept) < len(ordered):
        flags.append(
            Quality(
                "duplicate-slices",
                "warning",
                f"{len(ordered) - len(kept)} of {len(ordered)} images are at the position of another one; "
                "the first taken of each place was used.",
            )
        )
    return kept, flags


def _series_flags(info: SeriesInfo, others: list[SeriesInfo]) -> list[Quality]:
    flags = []
    if any(frame.slope is None or frame.intercept is None for frame in info.frames):
        flags.append(
            Quality(
                "hu-no-rescale",
                "warning",
                "The DICOM header does not state how to make Hounsfield units (no Rescale Slope or Intercept); "
                "the stored values were taken as they are.",
            )
        )
    if any(frame.inverted for frame in info.frames):
        flags.append(
            Quality(
                "monochrome1",
                "warning",
                "The images are stored for inverted display (MONOCHROME1); their values were taken as Hounsfield units as "
                "they are, so check that bone is bright in the picture.",
            )
        )
    if is_sharp(info.kernel):
        flags.append(
            Quality(
                "sharp-kernel",
                "warning",
                f"The images were made with the bone or lung kernel {info.kernel}, which is too noisy for the brain; "
                "give the soft-tissue series if there is one.",
            )
        )
    if any(frame.contrast for frame in info.frames):
        flags.append(
            Quality(
                "contrast-agent",
                "warning",
                "A contrast agent is named in the headers; enhanced vessels and membranes look like blood and have not been "
                "tried, so look at the picture, or give the series without contrast.",
            )
        )
    if others:
        number = "" if info.number is None else f" {info.number}"
        flags.append(
            Quality(
                "other-series",
                "info",
                f"Series{number} was measured ({info.reason or 'the only CT'}); {len(others)} other series "
                "of the folder were left aside.",
            )
        )
    return flags


def _cut_axially(info: SeriesInfo, frames: list[Frame], pixels: FramePixels, progress: Progress) -> AxialStack:
    """Make a stack of axial slices of a sagittal or coronal series by permuting axes.

    Raises:
        InputError: the series has gaps, so that axial slices would be distorted.
    """
    places = [frame.placed() for frame in frames]
    first, last = places[0], places[-1]
    steps = np.diff([place.position @ first.normal for place in places])
    if steps.max() - steps.min() > STEP_TOLERANCE * steps.mean() + 0.01:
        raise InputError(
            f"The {info.orientation} series {info.number} has uneven steps between its images, so no axial slices can "
            "be cut from it; give an axial series.",
            "not-axial",
        )
    voxels = np.empty((len(frames), *frames[0].shape), dtype=np.int16)
    for index, frame in enumerate(frames):
        progress(index, len(frames), "decoding images")
        voxels[index] = np.clip(np.rint(pixels.hounsfield(frame)), -32768, 32767)
    affine = np.eye(4)
    affine[:3, 0] = (last.position - first.position) / (len(frames) - 1)
    affine[:3, 1] = first.down * first.pixel_spacing[0]
    affine[:3, 2] = first.across * first.pixel_spacing[1]
    affine[:3, 3] = first.position
    stack = from_volume(voxels, affine, sop_instance_uids=tuple(frame.sop_instance_uid for frame in frames))
    stack.source["reformatted"] = f"axial slices cut from {len(frames)} {info.orientation} images"
    return stack
