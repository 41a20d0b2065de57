"""Group DICOM images into series, and choose the head CT to measure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from MidlineShiftLogic.headct.frames import Frame

MIN_SLICES = 4
"""Series of fewer images are scouts, single key pictures or dose sheets."""

WANTED_STEP_MM = (2.4, 8.0)
"""Slice steps of routine head series; a thinner series of the same examination is read only where there is no such."""

WHOLE_HEAD_MM = 90.0
"""A series that spans less covers part of the head (an infant's head is about 100 mm high)."""

REPEATED_SHARE = 0.5
"""Acquisitions of one series that overlap by more than this share of the shorter one show the same tissue twice."""

NOT_A_SCAN = {
    "LOCALIZER", "SCOUT", "TOPOGRAM", "MIP", "MINIP", "MAX_IP", "MIN_IP", "PROJECTION IMAGE", "VRT", "VOLUME_RENDERED",
    "CBF", "CBV", "MTT", "TTP", "TMAX", "PERFUSION", "SCREEN SAVE", "SECONDARY CAPTURE", "DOSE", "DOSE_INFO",
    "MAT_DECOMP", "EFF_Z", "Z_EFF", "ELECTRON_DENSITY",
}  # fmt: skip
"""Image Type words of pictures that are made from a CT, or with a CT, but are not slices of Hounsfield units."""

SHARP_KERNELS = re.compile(
    r"""^(BONE|EDGE|LUNG|ULTRA|DETAIL$|SHARP)     # GE and others, in words
      | ^[A-Z][a-z]*(5[5-9]|[6-9]\d)([a-z]|$)      # Siemens: H60s, Hr64h, J70h, B80f
      | ^FC(3[0-9]|5[0-9]|8[0-9])                  # Canon, Toshiba
      | ^(D|E|L|YA|YB|YC|YD|YE)$                   # Philips
    """,
    re.VERBOSE,
)


@dataclass(frozen=True)
class SeriesInfo:
    """One series of a DICOM folder.

    Attributes:
        uid: Series Instance UID.
        number: series number, or None.
        description: series description as stored (it may describe the patient: show it, do not store it).
        modality: ``"CT"``, ``"MR"``...
        kernel: convolution kernel, ``""`` where not given.
        orientation: ``"axial"``, ``"sagittal"``, ``"coronal"`` or ``"unknown"``.
        n_images: images (frames of multi-frame files).
        step_mm: median distance between slices, or None.
        span_mm: distance from the first to the last slice, or None.
        chosen: whether ``read`` takes this one.
        reason: why it is taken, or why not.
        frames: its images.
    """

    uid: str
    number: int | None
    description: str
    modality: str
    kernel: str
    orientation: str
    n_images: int
    step_mm: float | None
    span_mm: float | None
    chosen: bool = False
    reason: str = ""
    frames: tuple[Frame, ...] = field(default=(), repr=False)

    @property
    def sharp(self) -> bool:
        """Return whether the kernel is one for bone or lung, too noisy for soft tissue."""
        return is_sharp(self.kernel)

    @property
    def placed(self) -> bool:
        """Return whether every image states its position in the patient and its pixel spacing."""
        return all(frame.placement is not None for frame in self.frames)


def is_sharp(kernel: str) -> bool:
    """Return whether a convolution kernel of this name is made for bone or lung."""
    return bool(SHARP_KERNELS.match(kernel.strip()) or SHARP_KERNELS.match(kernel.strip().upper()))


def group(frames: list[Frame]) -> list[SeriesInfo]:
    """Group the frames that belong to one stack: same series, slice plane, size and pixel spacing."""
    stacks: dict[tuple, list[Frame]] = {}
    for frame in frames:
        stacks.setdefault(frame.stack_key, []).append(frame)
    return [_describe(part) for members in stacks.values() for part in _acquisitions(members)]


def _acquisitions(frames: list[Frame]) -> list[list[Frame]]:
    """Split a series by acquisition where the same stretch was scanned twice (a repeat after motion, a contrast phase):
    mixed, their slices would alternate. Acquisitions that follow one another, and those of one slice each, stay together.
    """
    by_number: dict[int, list[Frame]] = {}
    for frame in frames:
        by_number.setdefault(frame.order[0], []).append(frame)
    parts = list(by_number.values())
    normal = frames[0].normal
    if len(parts) < 2 or normal is None or min(map(len, parts)) < MIN_SLICES:
        return [frames]
    places = [_heights(part, normal) for part in parts]
    if not all(places):
        return [frames]
    ranges = sorted((min(heights), max(heights)) for heights in places)
    for (low, high), (next_low, next_high) in pairwise(ranges):
        if min(high, next_high) - next_low > REPEATED_SHARE * min(high - low, next_high - next_low):
            return parts
    return [frames]


def _heights(frames: list[Frame], normal: np.ndarray) -> list[float]:
    """Return mm of each image along a normal (3,); empty if one does not state its position."""
    heights = [float(frame.position @ normal) for frame in frames if frame.position is not None]
    return heights if len(heights) == len(frames) else []


def _describe(frames: list[Frame]) -> SeriesInfo:
    first = frames[0]
    step = span = None
    orientation = "unknown"
    if first.normal is not None:
        orientation = ("sagittal", "coronal", "axial")[int(np.abs(first.normal).argmax())]
        heights = _heights(frames, first.normal)
        if heights:
            places = np.unique(np.round(heights, 2))
            span = float(places[-1] - places[0])
            step = float(np.median(np.diff(places))) if len(places) > 1 else None
    return SeriesInfo(
        uid=first.series_uid,
        number=first.series_number,
        description=first.description,
        modality=first.modality,
        kernel=first.kernel,
        orientation=orientation,
        n_images=len(frames),
        step_mm=step,
        span_mm=span,
        frames=tuple(frames),
    )


def rank(found: list[SeriesInfo]) -> list[SeriesInfo]:
    """Return the series with their reasons, best first; the first is chosen if it can be measured at all."""
    objections = {id(info): why_not(info) for info in found}

    def worth(info: SeriesInfo) -> tuple:
        if objections[id(info)]:
            return False, (info.modality == "CT", info.n_images)
        return True, _merits(info)

    ordered = sorted(found, key=worth, reverse=True)
    best = ordered[0]
    result = []
    for info in ordered:
        objection = objections[id(info)]
        if objection:
            result.append(replace(info, reason=objection))
        elif info is best:
            result.append(replace(info, chosen=True, reason=_praise(info)))
        else:
            result.append(replace(info, reason=_less_than(info, best)))
    return result


def why_not(info: SeriesInfo) -> str:
    """Return why a series cannot be measured; empty if it can."""
    first = info.frames[0]
    if info.modality != "CT":
        return f"not a CT ({info.modality or 'no modality given'})"
    if not first.has_pixels:
        return "holds no images"
    unwanted = NOT_A_SCAN & {word.upper() for word in first.image_type}
    if unwanted:
        return f"not slices of Hounsfield units ({', '.join(sorted(unwanted)).lower()})"
    if not first.grey:
        return "a colour or screen picture, not Hounsfield units"
    if not info.placed:
        return "its images do not state their position in the patient or their pixel spacing"
    if info.step_mm is None:
        return "all its images are at one position" if info.n_images > 1 else "a single image"
    if info.n_images < MIN_SLICES:
        return f"only {info.n_images} images"
    return ""


def _merits(info: SeriesInfo) -> tuple:
    """Return what makes a measurable series fit, most important first."""
    first = info.frames[0]
    low, high = WANTED_STEP_MM
    step_mm, span_mm = _extent(info)
    return (
        info.orientation == "axial",
        span_mm >= WHOLE_HEAD_MM,
        not info.sharp,
        not first.contrast,
        "DERIVED" not in {word.upper() for word in first.image_type},
        low <= step_mm <= high,
        info.n_images,
    )


def _extent(info: SeriesInfo) -> tuple[float, float]:
    """Return step and span of a series, mm; one that can be measured (``why_not``) has both."""
    return info.step_mm or 0.0, info.span_mm or 0.0


def _praise(info: SeriesInfo) -> str:
    kernel = f", kernel {info.kernel}" if info.kernel else ""
    return f"{info.orientation} CT, {info.n_images} images {info.step_mm:.2f} mm apart{kernel}"


def _less_than(info: SeriesInfo, best: SeriesInfo) -> str:
    """Return the first merit in which a measurable series is behind the chosen one."""
    reasons = (
        f"{info.orientation} slices",
        "covers only part of the head",
        f"bone or lung kernel {info.kernel}",
        "with contrast agent",
        "derived from other images",
        f"slices {info.step_mm:.2f} mm apart",
        "fewer images",
    )
    for mine, theirs, reason in zip(_merits(info), _merits(best), reasons, strict=True):
        if mine != theirs:
            return reason
    return "equal to the chosen one, which came first"
