"""C-STORE as a user: files to an application entity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from MidlineShiftLogic.pacs.dimse import application_entity, associate
from MidlineShiftLogic.pacs.errors import PacsError, Rejected, Unreachable
from MidlineShiftLogic.pacs.files import Stored
from MidlineShiftLogic.pacs.target import DicomTarget

if TYPE_CHECKING:
    import ssl

MAX_CONTEXTS = 128
"""Presentation contexts of one association (PS3.8)."""
WARNINGS = (0xB000, 0xB006, 0xB007)
"""Stored, with values coerced or discarded (PS3.4, B.2.3): the object is there."""


class DimseSender:
    """Sends files by C-STORE over one association a call."""

    def __init__(self, target: DicomTarget, own_aet: str, tls: ssl.SSLContext | None = None):
        self._target = target
        self._own_aet = own_aet
        self._tls = tls

    def send(self, files: Sequence[Stored]) -> Iterator[Stored]:
        """See ``send.Sender``."""
        if not files:
            return
        association = associate(application_entity(self._own_aet), self._target, _contexts(files), self._tls)
        try:
            for file in files:
                self._send_one(association, file)
                yield file
        finally:
            if association.is_established:
                association.release()

    def _send_one(self, association, file: Stored) -> None:
        from pydicom.uid import UID

        try:
            status = association.send_c_store(file.path)
        except ValueError as error:  # no accepted presentation context for it
            raise Rejected(
                f"{self._target} does not take {UID(file.sop_class_uid).name} in {UID(file.transfer_syntax_uid).name}.",
                "pacs-rejected",
            ) from error
        except RuntimeError as error:
            raise Unreachable(f"The connection to {self._target} broke.", "pacs-unreachable") from error
        if "Status" not in status:
            raise Unreachable(f"{self._target} stopped answering.", "pacs-unreachable")
        if status.Status in (0x0000, *WARNINGS):
            return
        # PS3.4, B.2.3: 0xA7xx is a lack of resources, which may pass.
        kind: type[PacsError] = Unreachable if status.Status & 0xFF00 == 0xA700 else Rejected
        name = UID(file.sop_class_uid).name
        raise kind(f"{self._target} refuses a {name} (status 0x{status.Status:04X}).", "pacs-rejected")


def _contexts(files: Sequence[Stored]) -> list:
    from pynetdicom import build_context

    kinds = list(dict.fromkeys((file.sop_class_uid, file.transfer_syntax_uid) for file in files))
    if len(kinds) > MAX_CONTEXTS:
        raise PacsError(f"More than {MAX_CONTEXTS} kinds of DICOM objects at once; send fewer.", "pacs")
    return [build_context(sop_class, syntax) for sop_class, syntax in kinds]
