"""Read a structured report of midlineshift back into its measurement; refuse reports of other programs.

Numbers, sides, landmarks, flags and the reader's decision are read from the coded content, so that what other programs
show is what is imported; the provenance text adds what only this program needs (``groups._provenance``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.measurement.distance import CaseRule
from MidlineShiftLogic.measurement.results import Measurement, SliceMeasurement
from MidlineShiftLogic.measurement.review import Review
from MidlineShiftLogic.quality import Quality
from MidlineShiftLogic.reporting.measurement_check import require_sound
from MidlineShiftLogic.text import parse_json

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pydicom.sr.coding import Code

    from MidlineShiftLogic.headct.headct import HeadCT

STRUCTURED_REPORTS = "1.2.840.10008.5.1.4.1.1.88."
FLAG = re.compile(r"(?P<severity>\w+), (?P<code>[^:]+): (?P<message>.*)", re.DOTALL)
NO_MIDLINE = np.empty((0, 2))


def read_report(path: str | PathLike) -> Measurement:
    """Return the measurement a report was made of, to 0.0001 mm and pixels; edits and review included.

    Raises:
        InputError: no such file, not a structured report, another program's or another version's, or damaged.
    """
    path = Path(path)
    report = _open(path)
    try:
        return _read(path, report)
    except (InputError, MemoryError):
        raise
    except Exception as error:  # pydicom reads an element when it is asked for, and raises many kinds of errors
        raise InputError(
            f"{path} is a damaged or changed report ({type(error).__name__}: {str(error)[:200]}).", "damaged-file"
        ) from error


def _read(path: Path, report: Dataset) -> Measurement:
    group, slices = _groups(report)
    texts = {} if group is None else _texts(group)
    provenance = _provenance(texts)
    if provenance is None:
        maker = str(report.get("Manufacturer") or "unknown").strip()
        raise InputError(
            f"{path} is not a report of midlineshift (it was made by {maker[:64]!r}); only its own can be read.",
            "foreign-sr",
        )
    measurement = _measurement(report, group, slices, texts, provenance)
    require_sound(measurement)
    if not measurement.refused and measurement.slice is None:
        raise ValueError("the number is missing")
    return measurement


def referenced_images(path: str | PathLike) -> frozenset[str]:
    """Return the SOP instance UIDs of the images that a structured report is about (its current evidence).

    Raises:
        InputError: no such file, or not a structured report.
    """
    report = _open(Path(path))
    try:
        return frozenset(
            str(image.ReferencedSOPInstanceUID)
            for study in report.get("CurrentRequestedProcedureEvidenceSequence") or ()
            for series in study.get("ReferencedSeriesSequence") or ()
            for image in series.get("ReferencedSOPSequence") or ()
        )
    except MemoryError:
        raise
    except Exception as error:  # as in ``read_report``
        raise InputError(
            f"{path} is a damaged report ({type(error).__name__}: {str(error)[:200]}).", "damaged-file"
        ) from error


def _open(path: Path) -> Dataset:
    import pydicom

    try:
        if path.exists() and not path.is_file():
            raise ValueError(f"{path} is a folder or a device")
        report = pydicom.dcmread(path)
        kind, content = str(report.get("SOPClassUID", "")), report.get("ContentSequence")
    except FileNotFoundError as error:
        raise InputError(f"There is no file {path}; check the path.", "no-such-path") from error
    except MemoryError:
        raise
    except Exception as error:  # as in ``read_report``
        raise InputError(
            f"{path} is not a DICOM file, or a damaged one; give a structured report.", "no-dicom"
        ) from error
    if not kind.startswith(STRUCTURED_REPORTS) or not content:
        raise InputError(f"{path} is a DICOM file but no structured report; give the sr.dcm of a case.", "no-sr")
    return report


def _groups(report: Dataset) -> tuple[Dataset | None, list[Dataset]]:
    """Return the measurement group of the case, and those of its slices."""
    from MidlineShiftLogic.reporting.dicom import codes
    from MidlineShiftLogic.reporting.dicom.groups import CASE_IDENTIFIER

    case, slices = None, []
    for item in _descendants(report):
        if not _named(item, codes.MEASUREMENT_GROUP):
            continue
        identifier = next((one.TextValue for one in _all(item, codes.TRACKING_IDENTIFIER)), "")
        if identifier == CASE_IDENTIFIER:
            case = case or item
        elif identifier.startswith(CASE_IDENTIFIER):
            slices.append(item)
    return case, slices


def _provenance(texts: dict[str, list[str]]) -> dict[str, Any] | None:
    from MidlineShiftLogic.reporting.dicom import codes
    from MidlineShiftLogic.reporting.dicom.groups import FORMAT

    try:
        said = parse_json(texts[codes.PROVENANCE.value][0])
        found = said["format"]
    except (KeyError, ValueError, TypeError):
        return None
    if found != FORMAT:
        raise InputError(
            f"The report has the layout {found!r}, not {FORMAT}; read it with the version that wrote it.", "sr"
        )
    return said


def _measurement(report, group, slices, texts, provenance) -> Measurement:
    from MidlineShiftLogic.reporting.dicom import codes

    numbers = _numbers(group)
    index = numbers.get(codes.SLICE_INDEX.value)
    low, high = (numbers.get(code.value) for code in (codes.INTERVAL_LOW, codes.INTERVAL_HIGH))
    refusal = texts.get(codes.REFUSAL.value)
    code, _, message = refusal[0].partition(": ") if refusal else ("", "", "")
    rule = provenance["rule"]
    stack = _stack(provenance["geometry"])
    found = tuple(
        sorted((_slice(one, stack, provenance["source_slices"]) for one in slices), key=lambda one: one.index)
    )
    if {str(one.index) for one in found} != set(provenance["source_slices"]):
        raise ValueError("slices are missing")
    return Measurement(
        case_id=provenance["case"],
        signed_shift_mm=numbers.get(codes.SIGNED_SHIFT.value),
        slice=None if index is None else int(index),
        slices=found,
        quality=tuple(_flag(text) for text in texts.get(codes.QUALITY.value, [])),
        refused={"code": code, "message": message} if refusal else None,
        authors_readout_mm=numbers.get(codes.AUTHORS_READOUT.value),
        **{name: provenance[name] for name in ("model", "software", "device", "seconds", "input")},
        case_rule=None if rule is None else CaseRule.from_dict(rule),
        review=_review(report, group, texts),
        interval_mm=None if low is None or high is None else (low, high),
        p_over_5mm=numbers.get(codes.P_OVER_5MM.value),
        model_slice=provenance.get("model_slice"),
    )


def _flag(text: str) -> Quality:
    found = FLAG.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no flag")
    return Quality(**found.groupdict())


def _slice(group: Dataset, stack: HeadCT, source_slices: dict[str, list[int]]) -> SliceMeasurement:
    from MidlineShiftLogic.reporting.dicom import codes

    numbers = _numbers(group)
    index = int(numbers[codes.SLICE_INDEX.value])
    (shift,) = _all(group, codes.DISPLACEMENT)
    places = {
        _concept(item)[0]: np.array(item.GraphicData, dtype=float).reshape(-1, 3)
        for item in shift.ContentSequence
        if item.ValueType == "SCOORD3D"
    }
    landmarks = {name: places[code.value][0] for name, code in codes.LANDMARKS.items()}
    midline = places.get(codes.MIDLINE.value)
    pixels = {name: stack.to_pixels(index, point) for name, point in landmarks.items()}
    curve = NO_MIDLINE if midline is None else stack.to_pixels(index, midline)
    return SliceMeasurement(
        index=index,
        z_mm=numbers[codes.STACK_HEIGHT.value],
        signed_shift_mm=numbers[codes.SIGNED_SHIFT.value],
        landmarks_px=pixels,
        landmarks_lps_mm=landmarks,
        midline_px=curve,
        midline_shift_mm=_deviation(curve, pixels, stack),
        height_mm=numbers[codes.HEAD_HEIGHT.value],
        confidence=numbers[codes.CONFIDENCE.value],
        in_case_window=_yes(group, codes.IN_CASE_WINDOW),
        authors_readout_mm=numbers.get(codes.AUTHORS_READOUT.value),
        edited=_yes(group, codes.EDITED),
        pinned=bool(_all(group, codes.PINNED)) and _yes(group, codes.PINNED),
        source_slices=tuple(source_slices[str(index)]),
    )


def _deviation(curve: np.ndarray, pixels: dict[str, np.ndarray], stack: HeadCT) -> np.ndarray:
    """Return (k,) signed mm of the points of the midline from the line between the falx attachments."""
    row_mm, column_mm = stack.pixel_spacing
    mm = np.array([column_mm, row_mm])
    start, end = (pixels[name] * mm for name in ("anterior_falx", "posterior_falx"))
    along = (end - start) / np.linalg.norm(end - start)
    left = np.array([along[1], -along[0]])
    distance = (curve * mm - start) @ (left if left[0] >= 0 else -left)
    return np.round(distance, 4) + 0.0  # the report's coordinates have single precision; no -0.0


def _review(report: Dataset, group: Dataset, texts: dict[str, list[str]]) -> Review | None:
    from MidlineShiftLogic.reporting.dicom import codes

    decisions = _all(group, codes.DECISION)
    if not decisions:
        return None
    decision = _concept(decisions[0], "ConceptCodeSequence")[0]
    names = {code.value: name for name, code in codes.DECISIONS.items()}
    reader = next(item for item in _descendants(report) if _named(item, codes.PERSON_OBSERVER_NAME))
    return Review(
        decision=names[decision],
        reader=str(reader.PersonName),
        time=texts[codes.DECISION_TIME.value][0],
        reason=next(iter(texts.get(codes.DECISION_REASON.value, [])), ""),
    )


def _stack(geometry: dict[str, Any]) -> HeadCT:
    """Return the canonical stack the measurement's pixels count in; its voxels are air and take no memory."""
    from MidlineShiftLogic.headct.headct import HeadCT

    row_mm, column_mm = geometry["pixel_spacing_mm"]
    origins = np.array(geometry["origins_lps"], dtype=float).reshape(-1, 3)
    return HeadCT(
        hu=np.broadcast_to(np.float32(-1000.0), tuple(geometry["shape"])),
        origins=origins,
        column_axis=np.array(geometry["column_axis_lps"], dtype=float),
        row_axis=np.array(geometry["row_axis_lps"], dtype=float),
        pixel_spacing=(row_mm, column_mm),
        thickness=np.full(len(origins), np.nan),
    )


def _descendants(item: Dataset) -> Iterator[Dataset]:
    for child in item.get("ContentSequence") or ():
        yield child
        yield from _descendants(child)


def _all(group: Dataset, code: Code) -> list[Dataset]:
    return [item for item in group.ContentSequence if _named(item, code)]


def _concept(item: Dataset, sequence: str = "ConceptNameCodeSequence") -> tuple[str, str]:
    """Return (value, scheme); empty where there is none."""
    found = item.get(sequence)
    return (str(found[0].get("CodeValue", "")), str(found[0].get("CodingSchemeDesignator", ""))) if found else ("", "")


def _named(item: Dataset, code: Code) -> bool:
    return _concept(item) == (code.value, code.scheme_designator)


def _numbers(group: Dataset) -> dict[str, float]:
    """Return the number of each code value."""
    return {
        _concept(item)[0]: float(item.MeasuredValueSequence[0].NumericValue)
        for item in group.ContentSequence
        if item.ValueType == "NUM"
    }


def _texts(group: Dataset) -> dict[str, list[str]]:
    """Return the texts of each code value, in their order."""
    texts: dict[str, list[str]] = {}
    for item in group.ContentSequence:
        if item.ValueType == "TEXT":
            texts.setdefault(_concept(item)[0], []).append(str(item.TextValue))
    return texts


def _yes(group: Dataset, code: Code) -> bool:
    from MidlineShiftLogic.reporting.dicom import codes

    (item,) = _all(group, code)
    return _concept(item, "ConceptCodeSequence")[0] == codes.YES.value
