"""Receive one series that an archive sends for our C-MOVE, on a port guarded as the listener's is."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from MidlineShiftLogic.headct.stored_values import DamagedFile
from MidlineShiftLogic.pacs.dicom_files import image_file_name, write_atomically
from MidlineShiftLogic.pacs.dimse import add_supported_contexts, application_entity
from MidlineShiftLogic.pacs.object_bounds import exceeds_bounds, object_ended
from MidlineShiftLogic.pacs.receiver import (
    LIMIT_EXCEEDED,
    MISMATCH,
    NO_ROOM,
    NOT_UNDERSTOOD,
    SUCCESS,
    Limits,
    identify_object,
)

if TYPE_CHECKING:
    from pynetdicom.ae import ApplicationEntity
    from pynetdicom.events import EventHandlerType


class MoveReceiver:
    """A server that takes the objects of one series while it is open.

    Args:
        own_aet: our AE title; others that are called are refused. address: host and port to listen on.
        series: the Series Instance UID that is taken. folder: an existing folder for its objects.
        tls: context for DICOM over TLS, or None.
        limits: as for the listener; the number of images is the archive's business here.

    Attributes:
        received: SOP Instance UIDs of the objects that were written.
    """

    def __init__(
        self,
        own_aet: str,
        address: tuple[str, int],
        series: str,
        folder: Path,
        tls: ssl.SSLContext | None = None,
        limits: Limits | None = None,
    ):
        from MidlineShiftLogic.pacs.transport import ConnectionGuard

        self._aet, self._address, self._series, self._folder, self._tls = own_aet, address, series, folder, tls
        self._limits = limits or Limits()
        self._guard = ConnectionGuard(self._limits.connections)
        self._entity: ApplicationEntity | None = None
        self.received: set[str] = set()

    def start(self) -> int:
        """Start to listen and return the port.

        Raises:
            InputError: the address cannot be listened on.
        """
        from pynetdicom import evt

        from MidlineShiftLogic.pacs.transport import open_port

        entity = application_entity(self._aet)
        entity.require_called_aet = True
        add_supported_contexts(entity)
        handlers: list[EventHandlerType] = [
            (evt.EVT_REQUESTED, self._requested),
            (evt.EVT_PDU_RECV, self._pdu_received),
            (evt.EVT_C_STORE, self._store),
        ]
        port = open_port(entity, self._address, handlers, self._guard, self._tls)
        self._entity = entity
        return port

    def stop(self) -> None:
        """Close the port and every connection."""
        if self._entity is not None:
            self._guard.close()
            self._entity.shutdown()
            self._entity = None

    def _requested(self, event) -> None:
        association = event.assoc
        requestor = association.requestor
        if not self._guard.requested((requestor.address, requestor.port), association):
            association.acse.send_reject(*LIMIT_EXCEEDED)
            association.kill()

    def _pdu_received(self, event) -> None:
        if exceeds_bounds(event.assoc, event.pdu, self._limits.image_bytes):
            event.assoc.abort()

    def _store(self, event) -> int:
        object_ended(event.assoc)
        content = event.encoded_dataset()
        instance = str(event.request.AffectedSOPInstanceUID)
        try:
            if identify_object(content) != (self._series, instance):
                return MISMATCH
            write_atomically(self._folder / image_file_name(instance), content)
        except DamagedFile:
            return NOT_UNDERSTOOD
        except OSError:
            return NO_ROOM
        self.received.add(instance)
        return SUCCESS
