"""Sending DICOM files to a target, by whichever protocol it speaks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from MidlineShiftLogic.pacs.files import Stored
from MidlineShiftLogic.pacs.target import DicomTarget, Target
from MidlineShiftLogic.pacs.tls import TlsFiles, client_context


class Sender(Protocol):
    """Sends files to one place."""

    def send(self, files: Sequence[Stored]) -> Iterator[Stored]:
        """Send files in their order; each is yielded once the other side has confirmed it.

        Raises:
            Unreachable: nobody answers or the connection broke; what was yielded is there.
            Rejected: the other side refuses a file; those before it are there.
        """
        ...


def sender_to(target: Target, own_aet: str, tls: TlsFiles | None = None) -> Sender:
    """The sender for a target.

    Args:
        own_aet: our AE title; DICOMweb has none.
        tls: None is plain DICOM; with DICOMweb, what an https address needs beyond the system's authorities.
    """
    if isinstance(target, DicomTarget):
        from MidlineShiftLogic.pacs.dimse_send import DimseSender

        return DimseSender(target, own_aet, client_context(tls or TlsFiles()))
    from MidlineShiftLogic.pacs.web import WebSender, open_client

    return WebSender(target, open_client(target, tls))
