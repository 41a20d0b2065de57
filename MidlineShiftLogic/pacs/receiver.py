"""C-STORE as a provider: write the images of allowed senders into the spool."""

from __future__ import annotations

import logging
import sqlite3
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from MidlineShiftLogic.headct.dicom_file import survey
from MidlineShiftLogic.pacs.access_control import AllowedSender, is_allowed
from MidlineShiftLogic.pacs.dicom_files import image_file_name
from MidlineShiftLogic.pacs.dimse import CT_CLASSES, add_supported_contexts, application_entity
from MidlineShiftLogic.pacs.job import FAILED, RECEIVING, Job, wall_clock
from MidlineShiftLogic.pacs.log import LOGGER, RepeatedWarnings
from MidlineShiftLogic.pacs.object_bounds import exceeds_bounds, object_ended
from MidlineShiftLogic.pacs.queue import Queue
from MidlineShiftLogic.pacs.spool import Spool, SpoolFull
from MidlineShiftLogic.pacs.transfers import Transfers

if TYPE_CHECKING:
    from pynetdicom.ae import ApplicationEntity
    from pynetdicom.events import EventHandlerType

    from MidlineShiftLogic.pacs.transport import ConnectionGuard, ConnectionLimits

LOG = logging.getLogger(LOGGER)

RELEASE_REQUEST = 0x05
CALLING_NOT_RECOGNISED, LIMIT_EXCEEDED = (0x01, 0x01, 0x03), (0x02, 0x03, 0x02)
"""Result, source and reason of a rejection (PS3.8, 9.3.4)."""
SUCCESS, DISCARDED = 0x0000, 0xB006
"""PS3.4, B.2.3. ``DISCARDED`` is a warning, which senders treat as a success: a study may hold more than CT images."""
SOP_INSTANCE_UID, SERIES_INSTANCE_UID = (0x0008, 0x0018), (0x0020, 0x000E)
NO_ROOM, MISMATCH, NOT_UNDERSTOOD, NOT_ALLOWED = 0xA700, 0xA900, 0xC000, 0x0124


@dataclass(frozen=True)
class Limits:
    """Limits of one object, of one series, and of all senders together."""

    image_bytes: int = 256_000_000
    images: int = 5000
    associations: int = 8

    @property
    def connections(self) -> ConnectionLimits:
        """The limits of connections."""
        from MidlineShiftLogic.pacs.transport import ConnectionLimits

        return ConnectionLimits(associations=self.associations)


class Receiver:
    """The server; it runs in its own threads between ``start`` and ``stop``."""

    def __init__(
        self,
        aet: str,
        address: tuple[str, int],
        allowed: Sequence[AllowedSender],
        spool: Spool,
        queue: Queue,
        transfers: Transfers,
        limits: Limits | None = None,
        tls: ssl.SSLContext | None = None,
    ):
        self._aet, self._address, self._allowed = aet, address, tuple(allowed)
        self._spool, self._queue, self._transfers = spool, queue, transfers
        self._limits, self._tls = limits or Limits(), tls
        self._entity: ApplicationEntity | None = None
        self._guard: ConnectionGuard | None = None
        self._refusals = RepeatedWarnings()

    def start(self) -> int:
        """Start to listen and return the port; for port 0 the system chooses a free one.

        Raises:
            InputError: the address cannot be listened on.
        """
        from pynetdicom import evt

        from MidlineShiftLogic.pacs.transport import ConnectionGuard, open_port, pinned_addresses

        self._guard = ConnectionGuard(self._limits.connections, pinned_addresses(self._allowed))
        entity = application_entity(self._aet)
        entity.acse_timeout = self._limits.connections.associate_seconds
        entity.require_calling_aet = list(dict.fromkeys(one.aet for one in self._allowed))
        entity.require_called_aet = True
        add_supported_contexts(entity)
        handlers: list[EventHandlerType] = [
            (evt.EVT_REQUESTED, self._requested),
            (evt.EVT_REJECTED, self._rejected),
            (evt.EVT_ESTABLISHED, self._established),
            (evt.EVT_PDU_RECV, self._pdu_received),
            (evt.EVT_C_ECHO, self._echo),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_RELEASED, self._released),
            (evt.EVT_ABORTED, self._aborted),
        ]
        port = open_port(entity, self._address, handlers, self._guard, self._tls)
        self._entity = entity
        return port

    def stop(self) -> None:
        """Close the port and abort open associations, so that their senders know that the transfer failed."""
        if self._entity is not None and self._guard is not None:
            self._guard.close()
            self._entity.shutdown()
            self._entity = None

    def sweep(self) -> None:
        """Close connections whose time is over, and end the associations whose thread ended without an event."""
        if self._guard is not None:
            self._guard.sweep()
        for association in self._transfers.associations():
            if not association.is_alive():
                self._ended(association)

    # --- events; pynetdicom calls them in the association's threads

    def _requested(self, event) -> None:
        """Refuse an association from an address that is not allowed, or for which there is no place."""
        association = event.assoc
        aet, host = association.requestor.primitive.calling_ae_title, association.requestor.address
        if not is_allowed(self._allowed, str(aet).strip(), host):
            reason, what = CALLING_NOT_RECOGNISED, "association refused"
        elif self._guard is None or not self._guard.requested((host, association.requestor.port), association):
            reason, what = LIMIT_EXCEEDED, "association refused, too many are open (--max-associations)"
        else:
            return
        association.requestor.ae_title = aet
        self._refusals.warn(f"{what}: {self._describe_peer(event)}", host)
        association.acse.send_reject(*reason)
        association.kill()

    def _rejected(self, event) -> None:
        self._refusals.warn(f"association refused: {self._describe_peer(event)}", event.assoc.requestor.address)

    def _established(self, event) -> None:
        if self._permitted(event.assoc):
            self._transfers.opened(event.assoc)
        else:
            event.assoc.abort()

    def _pdu_received(self, event) -> None:
        """Record the end of a transfer before it is confirmed, and bound objects and commands while they arrive."""
        if event.pdu.pdu_type == RELEASE_REQUEST:
            # A kill between the confirmation and its event would leave the series open though its sender is done.
            self._record_end(event.assoc)
            return
        self._count_bytes(event)

    def _count_bytes(self, event) -> None:
        """Abort an association whose object or command grows beyond the limit, before it fills the memory."""
        association = event.assoc
        if exceeds_bounds(association, event.pdu, self._limits.image_bytes):
            peer = self._describe_peer(event)
            self._warn_once(association, f"association ended, an object is larger than --max-image-mb: {peer}")
            association.abort()

    def _echo(self, event) -> int:
        object_ended(event.assoc)
        return SUCCESS if self._permitted(event.assoc) else NOT_ALLOWED

    def _store(self, event) -> int:
        object_ended(event.assoc)
        try:
            return self._store_one(event)
        except SpoolFull as error:
            self._warn_once(event.assoc, f"no room for images: {error}")
            return NO_ROOM
        except (OSError, sqlite3.Error) as error:
            self._warn_once(event.assoc, f"images cannot be kept ({_error_name(error)})")
            return NO_ROOM
        except Exception as error:  # no object may end the listener
            self._warn_once(event.assoc, f"an object was not understood ({type(error).__name__})")
            return NOT_UNDERSTOOD

    def _released(self, event) -> None:
        self._ended(event.assoc)

    def _aborted(self, event) -> None:
        if self._transfers.aborted(event.assoc):
            LOG.warning("a transfer broke off: %s", self._describe_peer(event))

    def _record_end(self, association) -> None:
        if not getattr(association, "midlineshift_unrecorded", False):
            with self._queue.lock:
                self._queue.transfer_ended(self._transfers.released(association))

    def _ended(self, association) -> None:
        with self._queue.lock:
            # Without a record of an image that was lost, the series must not count as complete.
            if association.is_released and not getattr(association, "midlineshift_unrecorded", False):
                self._queue.transfer_ended(self._transfers.released(association))
            else:
                self._transfers.aborted(association)

    # --- one object

    def _store_one(self, event) -> int:
        request = event.request
        if not self._permitted(event.assoc):
            return NOT_ALLOWED
        if str(request.AffectedSOPClassUID) not in CT_CLASSES:
            return DISCARDED
        content = event.encoded_dataset()
        series, instance = identify_object(content)
        if not series or instance != str(request.AffectedSOPInstanceUID):
            self._warn_once(
                event.assoc, "an object without a series, or with another identity than announced, was refused"
            )
            return MISMATCH
        name = image_file_name(instance)
        with self._queue.lock:  # row and file change together
            job = self._queue.find_by_series(series)
            if job and job.state != FAILED and self._spool.has_image(job.id, name):
                self._queue.image_kept(job.id, name)
                self._transfers.image(event.assoc, job.id)
                return SUCCESS
            before, job = job, self._begin(event.assoc, series)
            try:
                self._check_limits(job.id, len(content))
                self._spool.put_image(job.id, name, content)
            except BaseException:
                self._remember_loss(event.assoc, job.id, name)
                raise
            self._queue.image_kept(job.id, name)
        if before is None or before.state != RECEIVING:
            what = "first image" if before is None else "more images"
            LOG.info("job %d: %s from %s", job.id, what, ascii(event.assoc.requestor.ae_title.strip()))
        return SUCCESS

    def _begin(self, association, series: str) -> Job:
        try:
            job = self._queue.begin_image(series, wall_clock())
        except sqlite3.Error:
            association.midlineshift_unrecorded = True
            raise
        self._transfers.image(association, job.id)
        return job

    def _remember_loss(self, association, job: int, name: str) -> None:
        try:
            self._queue.image_lost(job, name)
        except sqlite3.Error:
            association.midlineshift_unrecorded = True

    def _check_limits(self, job: int, size: int) -> None:
        if size > self._limits.image_bytes:
            raise SpoolFull("an object is larger than --max-image-mb")
        if self._spool.count_images(job) >= self._limits.images:
            raise SpoolFull(f"job {job} has reached --max-images")
        self._spool.check_room(size)

    # --- who

    def _permitted(self, association) -> bool:
        aet, host = association.requestor.ae_title.strip(), association.requestor.address
        return is_allowed(self._allowed, aet, host)

    def _describe_peer(self, event) -> str:
        requestor = event.assoc.requestor
        return f"{str(requestor.ae_title).strip()!a} at {requestor.address}"

    def _warn_once(self, association, sentence: str) -> None:
        """Log a warning once in each association, which may send thousands of images."""
        logged = association.__dict__.setdefault("midlineshift_logged", set())
        if sentence not in logged:
            logged.add(sentence)
            LOG.warning("%s", sentence)


def identify_object(content: bytes) -> tuple[str, str]:
    """Return (Series Instance UID, SOP Instance UID) of an encoded object; empty where missing.

    Raises:
        DamagedFile: beyond the limits of ``headct.dicom_file``.
    """
    values = survey(BytesIO(content), len(content), (SOP_INSTANCE_UID, SERIES_INSTANCE_UID)).values
    series, instance = (
        values.get(tag, b"").rstrip(b"\0 ").decode("ascii", "replace")
        for tag in (SERIES_INSTANCE_UID, SOP_INSTANCE_UID)
    )
    return series, instance


def _error_name(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__
