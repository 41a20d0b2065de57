"""DICOMweb: a client with bounded waits, and STOW-RS."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from MidlineShiftLogic.pacs.errors import Rejected, Unreachable
from MidlineShiftLogic.pacs.files import Stored
from MidlineShiftLogic.pacs.target import WebTarget
from MidlineShiftLogic.pacs.tls import TlsFiles

if TYPE_CHECKING:
    from dicomweb_client.api import DICOMwebClient

CONNECT_SECONDS, ANSWER_SECONDS = 15.0, 120.0
PASSING_STATUSES = (408, 425, 429, 500, 502, 503, 504)
"""HTTP statuses of a service that is overloaded, restarting or behind a proxy that lost it."""
BATCH_BYTES = 32_000_000
"""Objects of one request are held in memory."""


def open_client(target: WebTarget, tls: TlsFiles | None = None) -> DICOMwebClient:
    """A client; user name and password come from ``~/.netrc`` (requests does that)."""
    import requests
    from dicomweb_client.api import DICOMwebClient

    tls = tls or TlsFiles()
    session = requests.Session()
    if tls.authority:
        session.verify = str(tls.authority)
    if tls.certificate:
        session.cert = (str(tls.certificate), str(tls.key)) if tls.key else str(tls.certificate)
    client = DICOMwebClient(target.url, session=session, timeout=(CONNECT_SECONDS, ANSWER_SECONDS))
    # Retrying is the queue's business: it knows when to stop.
    client.set_http_retry_params(retry=False)
    return client


@contextmanager
def web_errors(target: WebTarget):
    """Whatever the libraries raise, as one of our two errors; addresses with UIDs in them are not repeated."""
    import requests

    try:
        yield
    except requests.HTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        if status in PASSING_STATUSES:
            raise Unreachable(f"{target} cannot answer now (HTTP status {status}).", "pacs-unreachable") from error
        if status in (401, 403):
            raise Rejected(
                f"{target} wants a user name and a password it accepts (HTTP status {status}); put them into ~/.netrc.",
                "pacs-rejected",
            ) from error
        raise Rejected(f"{target} refuses (HTTP status {status}).", "pacs-rejected") from error
    except requests.exceptions.SSLError as error:
        raise Unreachable(f"The certificate of {target} is not accepted; see --tls-ca.", "pacs-unreachable") from error
    except (requests.RequestException, OSError) as error:
        raise Unreachable(
            f"{target} does not answer; check the address, and that the PACS runs.", "pacs-unreachable"
        ) from error


class WebSender:
    """Sends files by STOW-RS, a bounded number of bytes a request."""

    def __init__(self, target: WebTarget, client: DICOMwebClient):
        self._target = target
        self._client = client

    def send(self, files: Sequence[Stored]) -> Iterator[Stored]:
        """See ``send.Sender``."""
        for batch in _batches(files):
            self._send_batch(batch)
            yield from batch

    def _send_batch(self, batch: list[Stored]) -> None:
        import pydicom

        with warnings.catch_warnings(), web_errors(self._target):
            warnings.simplefilter("ignore")  # pydicom's warnings hold the values they are about
            answer = self._client.store_instances([pydicom.dcmread(file.path) for file in batch])
        failed = answer.get("FailedSOPSequence") or ()
        if failed:
            reason = int(failed[0].get("FailureReason") or 0)
            raise Rejected(
                f"{self._target} refuses {len(failed)} of {len(batch)} objects (reason 0x{reason:04X}).",
                "pacs-rejected",
            )


def _batches(files: Sequence[Stored]) -> Iterator[list[Stored]]:
    batch: list[Stored] = []
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
