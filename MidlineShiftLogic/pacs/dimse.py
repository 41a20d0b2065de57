"""The DICOM protocol as used at both ends: set-up of pynetdicom, transfer syntaxes, and sending by C-STORE."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from MidlineShiftLogic.pacs.dicom_files import DicomFile
from MidlineShiftLogic.pacs.targets import Busy, DicomTarget, PacsError, Rejected, Unreachable

if TYPE_CHECKING:
    import ssl

    from pynetdicom import AE
    from pynetdicom.association import Association

    from MidlineShiftLogic.pacs.targets import DicomTarget


CONNECT_SECONDS, ANSWER_SECONDS, IDLE_SECONDS = 15.0, 60.0, 60.0
"""Timeouts: connection and association; the answer to one message; an open connection without any message."""


def application_entity(own_aet: str) -> AE:
    """Return an application entity with bounded waits."""
    from pynetdicom import AE, _config

    # pynetdicom's own event log prints identifiers of queries and objects.
    _config.LOG_HANDLER_LEVEL = "none"
    # A file is sent byte for byte instead of being decoded and encoded again.
    _config.STORE_SEND_CHUNKED_DATASET = True
    entity = AE(ae_title=own_aet)
    entity.acse_timeout = entity.connection_timeout = CONNECT_SECONDS
    entity.dimse_timeout = ANSWER_SECONDS
    entity.network_timeout = IDLE_SECONDS
    return entity


def associate(
    entity: AE, target: DicomTarget, contexts: list, tls: ssl.SSLContext | None, evt_handlers=()
) -> Association:
    """Open an association.

    Raises:
        Unreachable: no answer, or no association. Busy: the other side has no place now.
        Rejected: the other side refuses an AE title, or all of the offered objects.
    """
    from pynetdicom import evt

    connected: list = []
    association = entity.associate(
        target.host,
        target.port,
        contexts=contexts,
        ae_title=target.aet,
        tls_args=(tls, target.host) if tls else None,
        evt_handlers=[(evt.EVT_CONN_OPEN, connected.append), *evt_handlers],
    )
    if association.is_established:
        return association
    if association.is_rejected:
        raise _rejection(association.acceptor.primitive, target, entity.ae_title)
    if association.rejected_contexts and not association.accepted_contexts:
        raise Rejected(f"{target} supports none of the objects or transfer syntaxes offered.", "pacs-rejected")
    if connected:
        raise Unreachable(
            f"{target} takes the connection and gives no association; check that this port speaks DICOM, "
            f"{'with' if tls else 'without'} TLS.",
            "pacs-unreachable",
        )
    raise Unreachable(f"{target} does not answer; check the address, and that the PACS runs.", "pacs-unreachable")


TRANSIENT = 2
"""Result of a rejection that may pass (PS3.8, table 9-21)."""
CALLING_AET_UNKNOWN, CALLED_AET_UNKNOWN = (1, 3), (1, 7)
"""Source and reason of a rejection for our AE title, and for theirs (the same table)."""


def _rejection(answer, target: DicomTarget, own_aet: str) -> PacsError:
    """Return the error for an A-ASSOCIATE-RJ; some systems call an unknown AE title transient, which it is not."""
    reason = (answer.result_source, answer.diagnostic)
    if reason == CALLED_AET_UNKNOWN:
        advice = f"its AE title is not {target.aet}; give the right one before the @"
    elif reason == CALLING_AET_UNKNOWN:
        advice = "enter this AE title there"
    elif answer.result == TRANSIENT:
        return Busy(f"{target} is busy and takes no association now; try again in some minutes.", "pacs-busy")
    else:
        advice = f"enter this AE title there, and check that {target.aet} is its own"
    return Rejected(f"{target} does not accept an association from {own_aet}; {advice}.", "pacs-rejected")


CT_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.2",  # CT Image Storage
    "1.2.840.10008.5.1.4.1.1.2.1",  # Enhanced CT Image Storage
    "1.2.840.10008.5.1.4.1.1.2.2",  # Legacy Converted Enhanced CT Image Storage
)
PLAIN_SYNTAXES = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")
COMPRESSED_SYNTAXES = (
    "1.2.840.10008.1.2.4.70",  # JPEG lossless, first-order prediction
    "1.2.840.10008.1.2.4.57",  # JPEG lossless
    "1.2.840.10008.1.2.4.80",  # JPEG-LS lossless
    "1.2.840.10008.1.2.4.90",  # JPEG 2000 lossless
    "1.2.840.10008.1.2.5",  # RLE
    "1.2.840.10008.1.2.4.50",  # JPEG baseline
    "1.2.840.10008.1.2.4.51",  # JPEG extended
    "1.2.840.10008.1.2.4.81",  # JPEG-LS near-lossless
    "1.2.840.10008.1.2.4.91",  # JPEG 2000
)


VERIFICATION = "1.2.840.10008.1.1"
"""SOP class of C-ECHO."""


def add_supported_contexts(entity: AE) -> None:
    """Offer CT in every syntax that can be decoded here, other storage (whole studies are sent), and C-ECHO."""
    from pydicom.pixels import get_decoder
    from pynetdicom import AllStoragePresentationContexts

    compressed = [syntax for syntax in COMPRESSED_SYNTAXES if get_decoder(syntax).is_available]
    entity.add_supported_context(VERIFICATION)
    for context in AllStoragePresentationContexts:
        more = compressed if context.abstract_syntax in CT_CLASSES else []
        entity.add_supported_context(context.abstract_syntax, [*PLAIN_SYNTAXES, *more])


MAX_CONTEXTS = 128
"""Presentation contexts of one association (PS3.8)."""
WARNINGS = (0xB000, 0xB006, 0xB007)
"""DicomFile, with values coerced or discarded (PS3.4, B.2.3): the object is there."""


class DimseSender:
    """Send files by C-STORE over one association in each call."""

    def __init__(self, target: DicomTarget, own_aet: str, tls: ssl.SSLContext | None = None):
        self._target = target
        self._own_aet = own_aet
        self._tls = tls

    def send(self, files: Sequence[DicomFile]) -> Iterator[DicomFile]:
        """See ``exchange.Sender``."""
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

    def _send_one(self, association, file: DicomFile) -> None:
        from pydicom.uid import UID

        try:
            status = association.send_c_store(file.path)
        except ValueError as error:  # no accepted presentation context for it
            raise Rejected(
                f"{self._target} does not accept {UID(file.sop_class_uid).name} in {UID(file.transfer_syntax_uid).name}.",
                "pacs-rejected",
            ) from error
        except RuntimeError as error:
            raise Unreachable(f"The connection to {self._target} broke.", "pacs-unreachable") from error
        if "Status" not in status:
            raise Unreachable(f"{self._target} stopped answering.", "pacs-unreachable")
        if status.Status in (0x0000, *WARNINGS):
            return
        name = UID(file.sop_class_uid).name
        if lacks_resources(status):
            raise Busy(
                f"{self._target} has no room for a {name} now (status 0x{status.Status:04X}); check its disk, "
                "and try again.",
                "pacs-busy",
            )
        raise Rejected(f"{self._target} refuses a {name} (status 0x{status.Status:04X}).", "pacs-rejected")


def lacks_resources(status) -> bool:
    """Return whether an answer's status is a lack of resources, 0xA7xx, which may pass (PS3.4, B.2.3 and C.4)."""
    return status.Status & 0xFF00 == 0xA700


def _contexts(files: Sequence[DicomFile]) -> list:
    from pynetdicom import build_context

    kinds = list(dict.fromkeys((file.sop_class_uid, file.transfer_syntax_uid) for file in files))
    if len(kinds) > MAX_CONTEXTS:
        raise PacsError(f"More than {MAX_CONTEXTS} kinds of DICOM objects at once; send fewer.", "pacs")
    return [build_context(sop_class, syntax) for sop_class, syntax in kinds]
