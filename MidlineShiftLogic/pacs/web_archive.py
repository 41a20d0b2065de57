"""QIDO-RS and WADO-RS: an archive behind DICOMweb."""

from __future__ import annotations

import warnings
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from MidlineShiftLogic.pacs.files import image_name, write_whole
from MidlineShiftLogic.pacs.found import COUNT_FIELD, Found, Wanted
from MidlineShiftLogic.pacs.target import WebTarget
from MidlineShiftLogic.pacs.web import web_errors

if TYPE_CHECKING:
    from dicomweb_client.api import DICOMwebClient


class WebArchive:
    """See ``found.Archive``."""

    def __init__(self, target: WebTarget, client: DICOMwebClient):
        self._target, self._client = target, client

    def find(self, wanted: Wanted) -> list[Found]:
        """See ``found.Archive``."""
        filters = {
            "StudyInstanceUID": wanted.study,
            "AccessionNumber": wanted.accession,
            "PatientID": wanted.patient_id,
            "StudyDate": wanted.date,
        }
        filters = {name: value for name, value in filters.items() if value}
        narrower = {"SeriesInstanceUID": wanted.series, "Modality": wanted.modality}
        narrower = {name: value for name, value in narrower.items() if value}
        found = []
        with web_errors(self._target), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for study in map(_dataset, self._client.search_for_studies(search_filters=filters, get_remaining=True)):
                uid = str(study.StudyInstanceUID)
                series = self._client.search_for_series(uid, fields=[COUNT_FIELD], search_filters=narrower)
                found += [Found.of(study, _dataset(one)) for one in series]
        return sorted(found, key=lambda one: (one.study, one.number or 0, one.series))

    def fetch(self, found: Found, folder: Path) -> int:
        """See ``found.Archive``."""
        names = set()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            instances = self._client.iter_series(found.study, found.series, media_types=(("application/dicom", "*"),))
            while (dataset := self._next(instances)) is not None:
                buffer = BytesIO()
                dataset.save_as(buffer, enforce_file_format=True)
                name = image_name(str(dataset.SOPInstanceUID))
                write_whole(folder / name, buffer.getbuffer())
                names.add(name)
        return len(names)

    def _next(self, instances):
        # Only the network's errors: a full disk is not the archive's.
        with web_errors(self._target):
            return next(instances, None)


def _dataset(answer: dict):
    from pydicom.dataset import Dataset

    return Dataset.from_json(answer)
