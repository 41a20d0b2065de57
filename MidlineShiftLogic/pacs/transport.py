"""Guard the listener's port: bounded PDUs, deadlines, and a limited number of connections from each address.

pynetdicom reads as many bytes as a PDU's header claims, waits for them without a deadline, and counts every connection as
an association (docs/adr/0034). The classes here stand between the network and its protocol machine.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pynetdicom.association import Association
from pynetdicom.dul import DULServiceProvider
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.pacs.log import LOGGER

if TYPE_CHECKING:
    from pynetdicom.ae import ApplicationEntity
    from pynetdicom.events import EventHandlerType

P_DATA, ASSOCIATE_REQUEST = 0x04, 0x01
HEADER_BYTES = 6
ASSOCIATE_BYTES = 400_000
"""An association request with 128 presentation contexts of 38 transfer syntaxes each has about 330 kB (PS3.8, 9.3.2)."""
CONTROL_BYTES = 64
"""Release and abort requests have 4 bytes."""
PDU_SLACK_BYTES = 64
"""Some senders do not count the headers inside a PDU in the negotiated length."""


@dataclass(frozen=True)
class ConnectionLimits:
    """Limits of connections and their times.

    Attributes:
        associations: established at once, of all senders together.
        pending: connections without an association at once; of these ``pending_each`` from one address.
        associate_seconds: from the connection to the complete association request, a TLS handshake included.
        pdu_seconds: from the first to the last byte of one PDU.
    """

    associations: int = 8
    pending: int = 48
    pending_each: int = 12
    associate_seconds: float = 15.0
    pdu_seconds: float = 30.0


class PduError(ConnectionError):
    """A peer sends what no association needs; the connection is closed."""


@dataclass
class _Pending:
    address: str
    since: float
    sock: socket.socket
    association: threading.Thread | None = None

    def is_open(self) -> bool:
        ended = self.association is not None and self.association.ident is not None and not self.association.is_alive()
        return self.sock.fileno() >= 0 and not ended


@dataclass
class ConnectionGuard:
    """Decide which connections and associations may stay.

    Connections without an association do not take the places of associations. Where too many of one address wait, its
    oldest is closed; where too many wait at all, the oldest of the address that has most of them. Addresses named in
    ``pinned`` always find a place for an association: all others together leave one place for each of them, up to half
    of all.

    Args:
        limits: numbers and times.
        pinned: addresses of allowed senders.
        clock: monotonic seconds.
    """

    limits: ConnectionLimits = field(default_factory=ConnectionLimits)
    pinned: frozenset[str] = frozenset()
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: dict[tuple, _Pending] = {}
        self._places: dict[threading.Thread, str] = {}

    def connected(self, peer: tuple, sock: socket.socket) -> None:
        """Record a new connection, and close an older one where too many wait."""
        address = str(peer[0])
        with self._lock:
            self._prune()
            counts = Counter(one.address for one in self._pending.values())
            busiest = max(counts, key=lambda one: (one not in self.pinned, counts[one]), default="")
            if counts[address] >= self.limits.pending_each:
                self._close_oldest(address)
            elif len(self._pending) >= self.limits.pending:
                self._close_oldest(busiest)
            self._pending[peer] = _Pending(address, self.clock(), sock)

    def _close_oldest(self, address: str) -> None:
        keys = (key for key, one in self._pending.items() if one.address == address)
        _close(self._pending.pop(min(keys, key=lambda key: self._pending[key].since)).sock)

    def replaced(self, peer: tuple, sock: socket.socket, association: threading.Thread | None = None) -> None:
        """Record the socket, and the thread, that handle a connection now."""
        with self._lock:
            # A socket that TLS took over looks closed and may have been dropped meanwhile.
            before = self._pending.get(peer)
            since = self.clock() if before is None else before.since
            self._pending[peer] = _Pending(str(peer[0]), since, sock, association)

    def requested(self, peer: tuple, association: threading.Thread) -> bool:
        """Take a place for an association that is requested; False where there is none."""
        address = str(peer[0])
        with self._lock:
            self._pending.pop(peer, None)
            self._prune()
            if len(self._places) >= self.limits.associations:
                return False
            if address not in self.pinned:
                reserve = min(len(self.pinned), self.limits.associations // 2)
                held = [one for one in self._places.values() if one not in self.pinned]
                most_each = max(1, self.limits.associations - self.limits.associations // 4)
                if len(held) >= self.limits.associations - reserve or held.count(address) >= most_each:
                    return False
            self._places[association] = address
        return True

    def sweep(self) -> None:
        """Close connections that have no association after their time."""
        with self._lock:
            self._prune()
            late = self.clock() - self.limits.associate_seconds
            for one in self._pending.values():
                if one.since < late:
                    _close(one.sock)

    def counts(self) -> tuple[int, int]:
        """Return the number of connections without an association, and of associations."""
        with self._lock:
            self._prune()
            return len(self._pending), len(self._places)

    def close(self) -> None:
        """Close every connection without an association."""
        with self._lock:
            for one in self._pending.values():
                _close(one.sock)

    def _prune(self) -> None:
        self._pending = {peer: one for peer, one in self._pending.items() if one.is_open()}
        self._places = {thread: address for thread, address in self._places.items() if thread.is_alive()}


class GuardedSocket(AssociationSocket):
    """A socket that refuses PDUs longer than their type needs, and those that take too long."""

    limits = ConnectionLimits()
    deadline: float | None = None
    """Monotonic time before which the association must be requested; None for no limit."""
    _body_bytes = 0

    def recv(self, nr_bytes: int) -> bytearray:
        """Read exactly ``nr_bytes``, fewer if the peer closes.

        Raises:
            PduError: the length is not plausible. OSError: the connection broke, or a deadline passed.
        """
        now = time.monotonic()
        if nr_bytes == HEADER_BYTES and not self._body_bytes:
            self._until = now + self.limits.pdu_seconds
            if self.deadline is not None and not self.assoc.is_established:
                self._until = min(self._until, self.deadline)
            header = self._read(HEADER_BYTES)
            if len(header) == HEADER_BYTES:
                kind, length = struct.unpack(">BxL", header)
                self._require_length(kind, length)
                self._body_bytes = length
            return header
        self._body_bytes = 0
        return self._read(nr_bytes)

    def _require_length(self, kind: int, length: int) -> None:
        most = CONTROL_BYTES
        if kind == P_DATA:
            most = (self.assoc.acceptor.maximum_length or 1 << 20) + PDU_SLACK_BYTES
        elif kind in (ASSOCIATE_REQUEST, 0x02):
            most = ASSOCIATE_BYTES
        if length > most:
            raise PduError(f"a PDU of type {kind} claims {length} bytes")

    def _read(self, count: int) -> bytearray:
        result = bytearray(count)
        view, place = memoryview(result), 0
        while place < count:
            left = self._until - time.monotonic()
            if left <= 0 or self.socket is None:
                raise TimeoutError("a PDU took too long")
            self.socket.settimeout(left)
            got = self.socket.recv_into(view[place:])
            if not got:
                break
            place += got
        if self.socket is not None:
            self.socket.settimeout(self.limits.pdu_seconds)
        view.release()
        del result[place:]
        return result


class GuardedHandler(RequestHandler):
    """Start an association on a ``GuardedSocket``; the TLS handshake takes place in the connection's own thread."""

    server: GuardedServer

    def handle(self) -> None:
        """Serve one connection; pynetdicom calls it in a thread of its own."""
        guard = self.server.guard
        deadline = time.monotonic() + guard.limits.associate_seconds
        self.request.settimeout(guard.limits.associate_seconds)
        if self.server.tls is not None:
            try:
                self.request = self.server.tls.wrap_socket(
                    self.request, server_side=True, do_handshake_on_connect=False
                )
                guard.replaced(self.client_address, self.request)
                self.request.do_handshake()
            except (OSError, ValueError):  # ssl.SSLError is an OSError
                _close(self.request)
                return
        self.request.settimeout(guard.limits.pdu_seconds)
        association = self._create_association()
        sock = GuardedSocket(association, client_socket=self.request)
        sock.limits, sock.deadline = guard.limits, deadline
        # The socket that pynetdicom made has announced the connection already; two announcements break its protocol.
        association.dul.event_queue.get_nowait()
        association.dul.socket = sock
        guard.replaced(self.client_address, self.request, association)
        association.start()


class GuardedServer(ThreadedAssociationServer):
    """The server of the listener's port.

    Args:
        guard: decides about connections.
        tls: context for DICOM over TLS, or None.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, *args, guard: ConnectionGuard, tls: ssl.SSLContext | None = None, **options):
        self.guard, self.tls = guard, tls
        options["request_handler"] = GuardedHandler
        super().__init__(*args, **options)

    def verify_request(self, request, client_address) -> bool:
        """Record a new connection; it may stay, an older one may have to go."""
        self.guard.connected(client_address, request)
        return True

    def handle_error(self, request, client_address) -> None:
        """Record the error of one connection for debugging only; socketserver would print its traceback."""
        logging.getLogger(LOGGER).debug("a connection ended with an error", exc_info=True)


def open_port(
    entity: ApplicationEntity,
    address: tuple[str, int],
    handlers: list[EventHandlerType],
    guard: ConnectionGuard,
    tls: ssl.SSLContext | None,
) -> int:
    """Let an application entity listen behind the guard, in a thread of its own, until ``entity.shutdown()``.

    Args:
        entity: with its AE titles and presentation contexts. address: host and port; port 0 takes a free one.
        handlers: of pynetdicom's events. guard: decides about connections. tls: context for DICOM over TLS, or None.

    Returns:
        The port.

    Raises:
        InputError: the address cannot be listened on.
    """
    _keep_nonsense_quiet()
    # The guard counts associations; pynetdicom would count connections.
    entity.maximum_associations = 1_000_000
    try:
        server = entity.make_server(address, evt_handlers=handlers, server_class=GuardedServer, guard=guard, tls=tls)
    except (OSError, OverflowError) as error:
        host, port = address
        why = getattr(error, "strerror", None) or error
        raise InputError(f"Cannot listen on {host}:{port}: {why}; choose another --host or --port.", "port") from error
    entity._servers.append(server)
    threading.Thread(target=server.serve_forever, name="receiving DICOM objects", daemon=True).start()
    return server.server_address[1]


def _keep_nonsense_quiet() -> None:
    """Record for debugging only what ends the thread of a connection, such as a command without its fields.

    Python would print a traceback, which may quote what was sent. Errors of other threads are shown as before.
    """
    before = threading.excepthook
    if getattr(before, "keeps_nonsense_quiet", False):
        return

    def hook(arguments: threading.ExceptHookArgs) -> None:
        if not isinstance(arguments.thread, Association | DULServiceProvider):
            before(arguments)
            return
        found = arguments.exc_value
        details = None if found is None else (arguments.exc_type, found, arguments.exc_traceback)
        logging.getLogger(LOGGER).debug("a connection ended with an error", exc_info=details)

    hook.keeps_nonsense_quiet = True  # type: ignore[attr-defined]
    threading.excepthook = hook


def pinned_addresses(senders: Iterable) -> frozenset[str]:
    """Return the addresses of the allowed senders that have one."""
    return frozenset(sender.host for sender in senders if sender.host)


def _close(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError):
        sock.close()
