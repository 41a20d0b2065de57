"""Make the measurement groups (TID 1501) of a report: one for the case, one for each slice."""

from __future__ import annotations

import json

import numpy as np

from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.results import Measurement, SliceMeasurement
from MidlineShiftLogic.reporting.dicom import codes, series
from MidlineShiftLogic.reporting.dicom.coordinates import of_landmarks
from MidlineShiftLogic.reporting.dicom.source import Source
from MidlineShiftLogic.reporting.dicom.uids import uid
from MidlineShiftLogic.reporting.formatting import rule_text
from MidlineShiftLogic.reporting.measurement_json import DECIMALS, RESEARCH_USE_ONLY, to_dict

FORMAT = "midlineshift-sr/1"
"""Version of the layout of our reports; stands in the provenance text."""
CASE_IDENTIFIER = "Midline shift"


def case_group(measurement: Measurement, ct: HeadCT, source: Source):
    """Return the group of the case: its number, or why there is none, and all that concerns the case as a whole."""
    own = next((one for one in measurement.slices if one.index == measurement.slice), None)
    evaluations = [(codes.RESULT, codes.REFUSED if measurement.refused else codes.MEASURED)]
    numbers = []
    if measurement.signed_shift_mm is not None:
        numbers = [
            _shift(abs(measurement.signed_shift_mm), measurement.measured_slice(), ct, source),
            _number(codes.SIGNED_SHIFT, measurement.signed_shift_mm, codes.MM),
        ]
        evaluations.append((codes.LATERALITY, codes.SIDES[measurement.side or "none"]))
        evaluations.append((codes.EDITED, codes.YES if measurement.edited else codes.NO))
    if measurement.slice is not None:
        numbers.append(_number(codes.SLICE_INDEX, measurement.slice, codes.NO_UNIT))
    if measurement.interval_mm is not None:
        for name, value in zip((codes.INTERVAL_LOW, codes.INTERVAL_HIGH), measurement.interval_mm, strict=True):
            numbers.append(_number(name, value, codes.MM))
    if measurement.p_over_5mm is not None:
        numbers.append(_number(codes.P_OVER_5MM, measurement.p_over_5mm, codes.NO_UNIT))
    if measurement.authors_readout_mm is not None:
        numbers.append(_number(codes.AUTHORS_READOUT, measurement.authors_readout_mm, codes.MM))
    if measurement.review is not None:
        evaluations.append((codes.DECISION, codes.DECISIONS[measurement.review.decision]))
    group = _group(
        CASE_IDENTIFIER,
        uid("tracking", source.series_uid, "case"),
        measurement,
        numbers,
        evaluations,
        [] if own is None else _images(own, ct, source),
    )
    texts = [(codes.RESEARCH_USE, RESEARCH_USE_ONLY)]
    if rule_text(measurement):
        texts.append((codes.RULE, rule_text(measurement)))
    if measurement.refused:
        texts.append((codes.REFUSAL, f"{measurement.refused['code']}: {measurement.refused['message']}"))
    texts += [(codes.QUALITY, f"{flag.severity}, {flag.code}: {flag.message}") for flag in measurement.quality]
    if measurement.review is not None:
        texts.append((codes.DECISION_TIME, measurement.review.time))
        if measurement.review.reason:
            texts.append((codes.DECISION_REASON, measurement.review.reason))
    texts.append((codes.PROVENANCE, json.dumps(_provenance(measurement, ct))))
    _append_texts(group, texts)
    return group


def slice_group(measurement: Measurement, one: SliceMeasurement, ct: HeadCT, source: Source):
    """Return the group of one slice: its distance, its landmarks and the deformed midline.

    The slices of a scan that was cut from sagittal or coronal images name none: each was made of all, as the case says.
    """
    side = "none" if abs(one.signed_shift_mm) < 0.5 else "left" if one.signed_shift_mm > 0 else "right"
    numbers = [
        _shift(abs(one.signed_shift_mm), one, ct, source),
        _number(codes.SIGNED_SHIFT, one.signed_shift_mm, codes.MM),
        _number(codes.SLICE_INDEX, one.index, codes.NO_UNIT),
        _number(codes.STACK_HEIGHT, one.z_mm, codes.MM),
        _number(codes.HEAD_HEIGHT, one.height_mm, codes.MM),
        _number(codes.CONFIDENCE, one.confidence, codes.NO_UNIT),
    ]
    if one.authors_readout_mm is not None:
        numbers.append(_number(codes.AUTHORS_READOUT, one.authors_readout_mm, codes.MM))
    return _group(
        f"{CASE_IDENTIFIER}, slice {one.index}",
        uid("tracking", source.series_uid, str(one.index)),
        measurement,
        numbers,
        [
            (codes.LATERALITY, codes.SIDES[side]),
            (codes.IN_CASE_WINDOW, codes.YES if one.in_case_window else codes.NO),
            (codes.EDITED, codes.YES if one.edited else codes.NO),
            *([(codes.PINNED, codes.YES)] if one.pinned else []),
        ],
        [] if source.middle_of_slice(ct, one.index) is None else _images(one, ct, source),
    )


def _group(identifier: str, tracking_uid: str, measurement: Measurement, numbers, evaluations, images):
    from highdicom.sr import (
        AlgorithmIdentification,
        FindingSite,
        MeasurementsAndQualitativeEvaluations,
        QualitativeEvaluation,
        TrackingIdentifier,
    )

    name, version = series.model_of(measurement)
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(tracking_uid, identifier),
        finding_type=codes.MIDLINE_SHIFT,
        method=codes.PERPENDICULAR,
        algorithm_id=AlgorithmIdentification(name, version),
        finding_sites=[FindingSite(codes.BRAIN)],
        measurements=numbers,
        qualitative_evaluations=[QualitativeEvaluation(name, value) for name, value in evaluations],
        source_images=images,
    )


def _shift(shift_mm: float, one: SliceMeasurement, ct: HeadCT, source: Source):
    """Return the distance with where it was measured."""
    from highdicom.sr import Measurement as Number

    return Number(
        codes.DISPLACEMENT,
        round(float(shift_mm), DECIMALS),
        codes.MM,
        referenced_coordinates=of_landmarks(one, ct, source),
    )


def _number(name, value: float, unit):
    from highdicom.sr import Measurement as Number

    return Number(name, int(value) if isinstance(value, int | np.integer) else round(float(value), DECIMALS), unit)


def _images(one: SliceMeasurement, ct: HeadCT, source: Source):
    """Return every image the slice was made of."""
    from highdicom.sr import SourceImageForMeasurementGroup

    return [
        SourceImageForMeasurementGroup(frame.sop_class_uid, frame.sop_instance_uid, series.frame_numbers(frame))
        for frame in source.of_slice(ct, one.index)
    ]


def _append_texts(group, texts) -> None:
    from highdicom.sr import TextContentItem

    for name, text in texts:
        group[0].ContentSequence.append(TextContentItem(name, text, relationship_type="CONTAINS"))


def _provenance(measurement: Measurement, ct: HeadCT) -> dict:
    """Return what only this program needs: the case's local name, what it was made with, and the canonical stack the pixels of a
    measurement count in (``HeadCT``)."""
    said = to_dict(measurement)
    return {
        "format": FORMAT,
        "case": said["case"]["id"],
        "rule": said["case"]["rule"],
        "model_slice": measurement.model_slice,
        **{name: said[name] for name in ("model", "software", "device", "seconds", "input")},
        "source_slices": {str(one.index): list(map(int, one.source_slices)) for one in measurement.slices},
        "geometry": {
            "shape": list(ct.hu.shape),
            "origins_lps": np.round(ct.origins, 6).tolist(),
            "column_axis_lps": np.round(ct.column_axis, 9).tolist(),
            "row_axis_lps": np.round(ct.row_axis, 9).tolist(),
            "pixel_spacing_mm": [float(step) for step in ct.pixel_spacing],
        },
    }
