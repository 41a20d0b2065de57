"""DICOMweb: send by STOW-RS, query by QIDO-RS and fetch by WADO-RS."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from MidlineShiftLogic.errors import MidlineShiftError
from MidlineShiftLogic.pacs.access_control import TlsFiles
from MidlineShiftLogic.pacs.dicom_files import DicomFile, image_file_name, write_atomically
from MidlineShiftLogic.pacs.exchange import COUNT_FIELD, FoundSeries, SeriesQuery, require_few, study_uid
from MidlineShiftLogic.pacs.targets import Busy, Rejected, Unreachable, WebTarget

if TYPE_CHECKING:
    from dicomweb_client.api import DICOMwebClient


CONNECT_SECONDS, ANSWER_SECONDS = 15.0, 120.0
PASSING_STATUSES = (408, 425, 429, 500, 502, 503, 504)
"""HTTP statuses of a service that is overloaded, restarting or unreachable behind a proxy."""
BATCH_BYTES = 32_000_000
"""Objects of one request are held in memory."""


def open_client(target: WebTarget, tls: TlsFiles | None = None) -> DICOMwebClient:
    """Return a client with bounded waits; requests takes user name and password from ``~/.netrc``."""
    import requests
    from dicomweb_client.api import DICOMwebClient

    tls = tls or TlsFiles()
    session = requests.Session()
    if tls.authority:
        session.verify = str(tls.authority)
    if tls.certificate:
        session.cert = (str(tls.certificate), str(tls.key)) if tls.key else str(tls.certificate)
    client = DICOMwebClient(target.url, session=session, timeout=(CONNECT_SECONDS, ANSWER_SECONDS))
    # The queue and the commands retry, with their own limits.
    client.set_http_retry_params(retry=False)
    return client


@contextmanager
def web_errors(target: WebTarget):
    """Convert the libraries' errors to Unreachable or Rejected, without the addresses, which hold UIDs."""
    import requests

    try:
        yield
    except requests.HTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        if status in PASSING_STATUSES:
            raise Busy(
                f"{target} cannot answer now (HTTP status {status}); try again in some minutes.", "pacs-busy"
            ) from error
        if status in (401, 403):
            raise Rejected(
                f"{target} wants a user name and a password it accepts (HTTP status {status}); put them into ~/.netrc.",
                "pacs-rejected",
            ) from error
        raise Rejected(f"{target} refuses (HTTP status {status}).", "pacs-rejected") from error
    except requests.exceptions.JSONDecodeError as error:
        raise _no_dicomweb(target) from error
    except requests.exceptions.SSLError as error:
        raise Unreachable(f"The certificate of {target} is not accepted; see --tls-ca.", "pacs-unreachable") from error
    except (requests.RequestException, OSError) as error:
        raise Unreachable(
            f"{target} does not answer; check the address, and that the PACS runs.", "pacs-unreachable"
        ) from error
    except (MidlineShiftError, MemoryError):
        raise
    except Exception as error:  # the libraries raise whatever the nonsense in an answer leads to
        raise _no_dicomweb(target) from error


def _no_dicomweb(target: WebTarget) -> Rejected:
    return Rejected(
        f"{target} answers something that is not DICOMweb; check that this is the root of the service.", "pacs-answer"
    )


class WebSender:
    """Send files by STOW-RS, with a bounded number of bytes in each request."""

    def __init__(self, target: WebTarget, client: DICOMwebClient):
        self._target = target
        self._client = client

    def send(self, files: Sequence[DicomFile]) -> Iterator[DicomFile]:
        """See ``exchange.Sender``."""
        for batch in _batches(files):
            self._send_batch(batch)
            yield from batch

    def _send_batch(self, batch: list[DicomFile]) -> None:
        import pydicom

        with warnings.catch_warnings(), web_errors(self._target):
            warnings.simplefilter("ignore")  # pydicom's warnings quote header values
            answer = self._client.store_instances([pydicom.dcmread(file.path) for file in batch])
        failed = answer.get("FailedSOPSequence") or ()
        if failed:
            reason = int(failed[0].get("FailureReason") or 0)
            raise Rejected(
                f"{self._target} refuses {len(failed)} of {len(batch)} objects (reason 0x{reason:04X}).",
                "pacs-rejected",
            )


def _batches(files: Sequence[DicomFile]) -> Iterator[list[DicomFile]]:
    batch: list[DicomFile] = []
    size = 0
    for file in files:
        length = file.path.stat().st_size
        if batch and size + length > BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += length
    if batch:
        yield batch


class WebArchive:
    """An archive behind QIDO-RS and WADO-RS."""

    def __init__(self, target: WebTarget, client: DICOMwebClient):
        self._target, self._client = target, client

    def find(self, query: SeriesQuery) -> list[FoundSeries]:
        """See ``exchange.Archive``."""
        filters = {
            "StudyInstanceUID": query.study,
            "AccessionNumber": query.accession,
            "PatientID": query.patient_id,
            "StudyDate": query.date,
        }
        filters = {name: value for name, value in filters.items() if value}
        narrower = {"SeriesInstanceUID": query.series, "Modality": query.modality}
        narrower = {name: value for name, value in narrower.items() if value}
        found = []
        with web_errors(self._target), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for study in self._studies(filters):
                series = self._client.search_for_series(study_uid(study), fields=[COUNT_FIELD], search_filters=narrower)
                require_few(series)
                found += [FoundSeries.of(study, _dataset(one)) for one in series]
        return sorted(found, key=lambda one: (one.study, one.number or 0, one.series))

    def _studies(self, filters: dict[str, str]) -> list:
        """Return all studies, page by page; some services ignore the offset and send the first page again and again."""
        studies: dict[str, Any] = {}
        while True:
            page = [
                _dataset(one) for one in self._client.search_for_studies(offset=len(studies), search_filters=filters)
            ]
            known = len(studies)
            studies.update((study_uid(study), study) for study in page)
            require_few(studies)
            if len(studies) == known:
                return list(studies.values())

    def fetch(self, found: FoundSeries, folder: Path) -> int:
        """See ``exchange.Archive``."""
        names = set()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with web_errors(self._target):
                kinds = (("application/dicom", "*"),)
                instances = self._client.iter_series(found.study, found.series, media_types=kinds)
            while (dataset := self._next(instances)) is not None:
                buffer = BytesIO()
                with web_errors(self._target):
                    dataset.save_as(buffer, enforce_file_format=True)
                    name = image_file_name(str(dataset.SOPInstanceUID))
                    if str(dataset.SeriesInstanceUID) != found.series:
                        raise Rejected(f"{self._target} sends images of another series.", "pacs-answer")
                write_atomically(folder / name, buffer.getvalue())
                names.add(name)
        return len(names)

    def _next(self, instances):
        # Only errors of the network: a full disk is not an error of the archive.
        with web_errors(self._target):
            return next(instances, None)


def _dataset(answer: dict):
    from pydicom.dataset import Dataset

    return Dataset.from_json(answer)
