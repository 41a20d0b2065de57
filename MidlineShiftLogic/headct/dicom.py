"""Reading a DICOM series as it is: per-slice positions, tilt and gaps kept, nothing resampled or dropped unsaid."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.assemble import AIR_HU, touching_edge
from MidlineShiftLogic.headct.canonical import from_planes, from_volume
from MidlineShiftLogic.headct.frames import Frame, frames_of, read_header
from MidlineShiftLogic.headct.series import SeriesInfo, find_series, group, is_sharp, rank, why_not
from MidlineShiftLogic.headct.stack import AxialStack
from MidlineShiftLogic.progress import Progress, silent
from MidlineShiftLogic.quality import Quality

SAME_PLACE_MM = 0.01
"""Pictures of one series this close are the same slice stored twice; the thinnest reconstructions step by 0.1 mm."""

SURELY_PADDING_HU = -900.0
"""A padding value below this can be no tissue and is taken as air wherever it stands."""

STEP_TOLERANCE = 0.02
"""Share by which the steps of a sagittal or coronal series may differ if it is to be cut into axial slices."""


def read_folder(folder: Path, progress: Progress | None = None) -> AxialStack:
    """The chosen series of a folder (see ``find_series``).

    Raises:
        InputError: no DICOM, no head CT among it, damaged or undecodable images.
    """
    return _read_chosen(find_series(folder, progress), folder, progress)


def read_file(file: Path) -> AxialStack:
    """The pictures of one DICOM file: a slice, or a multi-frame scan."""
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
    # A file given by itself may be one slice: it is read, and `check` says that it is too few.
    single = alone and info.modality == "CT" and info.frames[0].grey and info.placed
    if objection and not single:
        seen = "; ".join(f"series {entry.number}: {entry.reason}" for entry in found[:6])
        raise InputError(f"{path} holds no head CT that can be measured ({seen}); give a CT series.", _code(found))
    frames, flags = _sorted_frames(info.frames)
    flags += _series_flags(info, found[1:])
    decoder = _Decoder(frames)
    first = frames[0]
    uids = tuple(frame.sop_instance_uid for frame in frames)
    if info.orientation == "axial" or len(frames) < 2:
        stack = from_planes(
            plane=lambda index: decoder.hounsfield(frames[index]),
            shape=first.shape,
            origins=np.array([frame.position for frame in frames]),
            column_axis=_unit(first.orientation[:3]),
            row_axis=_unit(first.orientation[3:]),
            pixel_spacing=first.pixel_spacing,
            thickness=np.array([frame.thickness for frame in frames]),
            sop_instance_uids=uids,
        )
    else:
        stack = _cut_axially(info, frames, decoder, progress or silent)
    stack.frames = tuple(frames)
    stack.source.update(
        format="DICOM",
        stored_shape=[len(frames), *first.shape],
        stored_spacing_mm=[
            round(float(info.step_mm or first.thickness), 4),
            *(round(step, 4) for step in first.pixel_spacing),
        ],
        kernel=info.kernel,
        acquired=min((frame.acquired for frame in frames if frame.acquired), default=None),
        other_series=[
            {"number": entry.number, "images": entry.n_images, "reason": entry.reason} for entry in found[1:]
        ],
    )
    stack.quality.extend(flags)
    return stack


def _code(found: list[SeriesInfo]) -> str:
    return "not-ct" if all(info.modality != "CT" or not info.frames[0].grey for info in found) else "no-head-ct"


def _sorted_frames(frames: tuple[Frame, ...]) -> tuple[list[Frame], list[Quality]]:
    """The frames upward along their normal, one for each place, and what was found on the way."""
    normal = frames[0].normal
    ordered = sorted(frames, key=lambda frame: (round(float(frame.position @ normal), 3), frame.order))
    kept = [ordered[0]]
    for frame in ordered[1:]:
        if float((frame.position - kept[-1].position) @ normal) > SAME_PLACE_MM:
            kept.append(frame)
    flags = []
    if len(kept) < len(ordered):
        flags.append(
            Quality(
                "duplicate-slices",
                "warning",
                f"{len(ordered) - len(kept)} of {len(ordered)} images lie at the place of another one; "
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
                "The DICOM header does not say how to make Hounsfield units (no Rescale Slope or Intercept); "
                "the stored values were taken as they are.",
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


def _cut_axially(info: SeriesInfo, frames: list[Frame], decoder: _Decoder, progress: Progress) -> AxialStack:
    """A sagittal or coronal series as a stack of axial slices, by permuting axes.

    Raises:
        InputError: the series has gaps, so that axial slices would be distorted.
    """
    steps = np.diff([frame.position @ frames[0].normal for frame in frames])
    if steps.max() - steps.min() > STEP_TOLERANCE * steps.mean() + 0.01:
        raise InputError(
            f"The {info.orientation} series {info.number} has uneven steps between its images, so no axial slices can "
            "be cut from it; give an axial series.",
            "not-axial",
        )
    first, last = frames[0], frames[-1]
    voxels = np.empty((len(frames), *first.shape), dtype=np.int16)
    for index, frame in enumerate(frames):
        progress(index, len(frames), "decoding images")
        voxels[index] = np.clip(np.rint(decoder.hounsfield(frame)), -32768, 32767)
    affine = np.eye(4)
    affine[:3, 0] = (last.position - first.position) / (len(frames) - 1)
    affine[:3, 1] = _unit(first.orientation[3:]) * first.pixel_spacing[0]
    affine[:3, 2] = _unit(first.orientation[:3]) * first.pixel_spacing[1]
    affine[:3, 3] = first.position
    stack = from_volume(voxels, affine, sop_instance_uids=tuple(frame.sop_instance_uid for frame in frames))
    stack.source["reformatted"] = f"axial slices cut from {len(frames)} {info.orientation} images"
    return stack


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


class _Decoder:
    """Fetches pixels; holds the last multi-frame file decoded, since its frames are asked for one after another."""

    def __init__(self, frames: list[Frame]):
        self._multi_frame_file: Path | None = None
        self._multi_frame: np.ndarray | None = None
        self._header = None
        self._frames_in_file = {frame.file for frame in frames if frame.index is not None}

    def hounsfield(self, frame: Frame) -> np.ndarray:
        """(row, column) float32 Hounsfield units of one frame, padding as air.

        Raises:
            InputError: truncated, or compressed in a way no installed decoder reads.
        """
        stored = self._stored(frame)
        slope = 1.0 if frame.slope is None else frame.slope
        intercept = 0.0 if frame.intercept is None else frame.intercept
        values = stored.astype(np.float32) * np.float32(slope) + np.float32(intercept)
        padding = _padding(self._header, stored)
        if padding is not None and padding.any():
            if values[padding].max() >= SURELY_PADDING_HU:
                padding = touching_edge(padding)
            values[padding] = AIR_HU
        return values

    def _stored(self, frame: Frame) -> np.ndarray:
        if frame.index is None:
            self._header, pixels = _decode(frame.file)
            picture = pixels
        else:
            if self._multi_frame_file != frame.file:
                self._header, self._multi_frame = _decode(frame.file)
                self._multi_frame_file = frame.file
                if self._multi_frame.ndim == 2:
                    self._multi_frame = self._multi_frame[None]
            picture = self._multi_frame[frame.index]
        if picture.shape != frame.shape:
            raise InputError(f"{frame.file} holds {picture.shape} pixels where its header says {frame.shape}.")
        return picture


def _decode(file: Path):
    """(data set, stored values)."""
    import pydicom
    from pydicom.uid import ImplicitVRLittleEndian

    try:
        dataset = pydicom.dcmread(file, force=True)
        if "TransferSyntaxUID" not in dataset.file_meta:
            dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        if not dataset.get("PhotometricInterpretation"):
            dataset.PhotometricInterpretation = "MONOCHROME2"  # as `frames` took it; pydicom will not decode without
        pixels = dataset.pixel_array
    except MemoryError:
        raise
    except Exception as error:  # pydicom and its decoder plugins raise whatever their libraries do
        raise InputError(_decoding_sentence(file, error), "damaged-file") from error
    return dataset, pixels


def _decoding_sentence(file: Path, error: Exception) -> str:
    text = str(error)
    if "missing dependencies" in text:
        compression = text.split("'")[1] if text.count("'") >= 2 else "unknown"
        return (
            f"{file} is compressed ({compression}) and no decoder for it is installed: run "
            "pip install pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg, or export the series uncompressed."
        )
    return f"The pixels of {file} are incomplete or damaged; copy or export the series again."


def _padding(header, stored: np.ndarray) -> np.ndarray | None:
    """(row, column) bool: pixels that hold the header's padding value or lie in its padding range."""
    value = header.get("PixelPaddingValue")
    if value is None:
        return None
    limit = header.get("PixelPaddingRangeLimit", value)
    try:
        low, high = sorted((int(value), int(limit)))
    except (TypeError, ValueError):
        return None
    if header.get("PixelRepresentation") == 1 and low > 32767:
        # Some writers store a negative padding value as unsigned.
        low, high = low - 65536, high - 65536
    return (stored >= low) & (stored <= high)
