"""Make the DICOM structured report of a measurement: TID 1500, Comprehensive 3D SR (docs/reference/dicom-objects.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.reporting.dicom import codes, series
from MidlineShiftLogic.reporting.dicom.groups import case_group, slice_group
from MidlineShiftLogic.reporting.dicom.source import Source
from MidlineShiftLogic.reporting.dicom.uids import result_key, uid
from MidlineShiftLogic.software import NAME, package_version

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


def structured_report(measurement: Measurement, ct: HeadCT, source: Source) -> Dataset:
    """Return the report of one case, also of a refused one.

    Args:
        ct: the scan's geometry; its voxels are not looked at.
        source: the series the scan was read from.

    Returns:
        Data set with file meta information, ready to be saved. Its UIDs follow from the scan and from what the
        measurement says: the same result gives the same instance, any edit or review another one of the same series.
    """
    from highdicom.sr import Comprehensive3DSR, MeasurementReport, ObservationContext

    content = MeasurementReport(
        observation_context=ObservationContext(
            observer_person_context=_person(measurement), observer_device_context=_device()
        ),
        procedure_reported=codes.CT_OF_HEAD,
        imaging_measurements=[
            case_group(measurement, ct, source),
            *(slice_group(measurement, one, ct, source) for one in measurement.slices),
        ],
    )
    reviewed = measurement.edited or measurement.review is not None
    report = Comprehensive3DSR(
        evidence=_evidence(source),
        content=content[0],
        series_instance_uid=uid("report series", source.series_uid, *series.model_of(measurement)),
        series_number=series.REPORT_NUMBER,
        sop_instance_uid=uid("report", source.series_uid, result_key(measurement)),
        instance_number=2 if reviewed else 1,
        is_complete=True,
        is_final=False,
        series_description="Midline shift, research use only",
        **series.equipment(),
    )
    series.take_identity(report, source)
    report.ContentQualification = "RESEARCH"
    series.set_character_set(report, source.character_set)
    return report


def _device():
    from highdicom.sr import DeviceObserverIdentifyingAttributes, ObserverContext
    from pydicom.sr.codedict import codes as standard

    return ObserverContext(
        observer_type=standard.DCM.Device,
        observer_identifying_attributes=DeviceObserverIdentifyingAttributes(
            uid=uid("device", NAME, package_version()),
            name=NAME,
            manufacturer_name=series.MANUFACTURER,
            model_name=NAME,
        ),
    )


def _person(measurement: Measurement):
    """Return the reader who decided; None without a review (an edit alone names nobody)."""
    if measurement.review is None:
        return None
    from highdicom.sr import ObserverContext, PersonObserverIdentifyingAttributes
    from pydicom.sr.codedict import codes as standard

    return ObserverContext(
        observer_type=standard.DCM.Person,
        observer_identifying_attributes=PersonObserverIdentifyingAttributes(
            name=series.person_name(measurement.review.reader)
        ),
    )


def _evidence(source: Source) -> list[Dataset]:
    """Return one data set for each image; the first carries patient and study, which the report takes over."""
    from pydicom.dataset import Dataset

    result: dict[str, Dataset] = {}
    for frame in source.frames:
        if frame.sop_instance_uid in result:
            continue
        image = Dataset()
        if not result:
            image.update(source.identity)
        image.StudyInstanceUID = source.identity.StudyInstanceUID
        image.SeriesInstanceUID = frame.series_uid
        image.SOPClassUID = frame.sop_class_uid
        image.SOPInstanceUID = frame.sop_instance_uid
        result[frame.sop_instance_uid] = image
    return list(result.values())
