"""Attacks on the listener's port: nobody fills the memory, nobody keeps the allowed senders out."""

import contextlib
import socket
import struct
import threading
import time
from dataclasses import replace

import pytest
from pacs_case import PATIENCE_SECONDS, head_series, wait_for

from MidlineShiftLogic.headct.dicom_file import survey
from MidlineShiftLogic.headct.stored_values import DamagedFile
from MidlineShiftLogic.pacs.access_control import AllowedSender, client_context, server_context
from MidlineShiftLogic.pacs.dicom_files import find_dicom_files
from MidlineShiftLogic.pacs.dimse import DimseSender
from MidlineShiftLogic.pacs.queue import Queue
from MidlineShiftLogic.pacs.receiver import Limits, Receiver
from MidlineShiftLogic.pacs.spool import Spool
from MidlineShiftLogic.pacs.targets import DicomTarget, PacsError, Rejected
from MidlineShiftLogic.pacs.transfers import Transfers
from MidlineShiftLogic.pacs.transport import ASSOCIATE_BYTES, ConnectionGuard, ConnectionLimits

SECONDS, FAR_SECONDS = 1.0, 10 * PATIENCE_SECONDS
"""The deadline of tests without an ordinary sender, who may need longer on a busy machine; and one that never comes."""


@pytest.fixture
def receivers():
    """The receivers that ``listen`` starts, each with the event that ends its sweeping."""
    return []


@pytest.fixture
def listen(tmp_path, monkeypatch, receivers):
    """A function that starts a receiver; its port. Deadlines are far away if the test gives no others."""

    def start(allowed="SCANNER", tls=None, **limits):
        limits = {"associate_seconds": FAR_SECONDS, "pdu_seconds": FAR_SECONDS} | limits
        monkeypatch.setattr(Limits, "connections", ConnectionLimits(**limits))
        spool = Spool(tmp_path / "spool", min_free_bytes=0)
        receiver = Receiver(
            "MIDLINESHIFT",
            ("127.0.0.1", 0),
            [AllowedSender(allowed)],
            spool,
            Queue(spool.database),
            Transfers(),
            tls=tls,
        )
        port = receiver.start()
        stop = threading.Event()
        threading.Thread(target=lambda: [receiver.sweep() for _ in iter(lambda: stop.wait(0.05), True)]).start()
        receivers.append((receiver, stop))
        return port

    yield start
    for receiver, stop in receivers:
        stop.set()
        receiver.stop()


def let_deadlines_pass(receivers):
    """Let the time of every connection without an association be over."""
    for receiver, _ in receivers:
        receiver._guard.limits = replace(receiver._guard.limits, associate_seconds=0.0)


def connect(port, address="127.0.0.1"):
    return socket.create_connection(("127.0.0.1", port), 10, source_address=(address, 0))


def is_closed(sock, seconds=PATIENCE_SECONDS):
    """Whether the other side closes the connection."""
    sock.settimeout(seconds)
    with contextlib.suppress(ConnectionError):
        while sock.recv(4096):
            pass
    return True


def send_series(port, folder, aet="SCANNER"):
    sender = DimseSender(DicomTarget("MIDLINESHIFT", "127.0.0.1", port), aet)
    return list(sender.send(list(find_dicom_files([folder]))))


@pytest.mark.parametrize("kind", [1, 2, 4, 5, 6, 7])
@pytest.mark.parametrize("length", [1 << 20, 1 << 31, (1 << 32) - 1])
def test_a_pdu_that_claims_too_much_is_not_read(listen, kind, length):
    with connect(listen()) as sock:
        sock.sendall(struct.pack(">BxL", kind, length))
        sent = 0
        with contextlib.suppress(OSError):
            sock.settimeout(SECONDS * 20)
            while sent < 64_000_000:
                sent += sock.send(bytes(1 << 16))
        assert sent < 32_000_000, "only what fits into the system's buffers"


def test_an_association_request_of_ordinary_size_is_read(listen, tmp_path):
    assert ASSOCIATE_BYTES > 128 * (38 * 68 + 30)
    assert len(send_series(listen(), head_series(tmp_path / "series", slices=2))) == 2


@pytest.mark.parametrize(
    "content", [b"", b"\x01", b"\x01\0\0\0", b"GET / HTTP/1.1\r\n\r\n", bytes(5000), b"\xff" * 5000]
)
def test_idle_or_senseless_connections_are_closed_and_keep_nobody_out(listen, receivers, tmp_path, content):
    port = listen(associations=2)
    socks = [connect(port) for _ in range(10)]
    for sock in socks:
        with contextlib.suppress(OSError):
            sock.sendall(content)
    assert len(send_series(port, head_series(tmp_path / "series", slices=2))) == 2
    let_deadlines_pass(receivers)
    assert all(is_closed(sock) for sock in socks)


def test_a_byte_at_a_time_does_not_renew_the_time(listen):
    request = struct.pack(">BxL", 1, 300) + bytes(300)
    with connect(listen(associate_seconds=SECONDS, pdu_seconds=SECONDS)) as sock:
        sent = 0
        with contextlib.suppress(OSError):
            for sent in range(len(request)):
                sock.sendall(request[sent : sent + 1])
                time.sleep(0.05)
        assert sent < len(request) - 1


def test_many_connections_of_one_address_do_not_keep_another_out(listen, tmp_path):
    port = listen(pending=20, pending_each=20)
    socks = [connect(port, "127.0.0.2") for _ in range(60)]
    assert len(send_series(port, head_series(tmp_path / "series", slices=2))) == 2
    for sock in socks:
        sock.close()


def test_an_idle_connection_does_not_hold_up_tls(listen, receivers, tmp_path, certificates):
    port = listen(tls=server_context(certificates))
    socks = [connect(port) for _ in range(3)]
    sender = DimseSender(DicomTarget("MIDLINESHIFT", "127.0.0.1", port), "SCANNER", client_context(certificates))
    files = list(find_dicom_files([head_series(tmp_path / "series", slices=2)]))
    assert len(list(sender.send(files))) == 2
    let_deadlines_pass(receivers)
    assert all(is_closed(sock) for sock in socks)


def test_strangers_are_refused_and_logged_at_a_bounded_rate(listen, tmp_path, caplog):
    port = listen()
    series = head_series(tmp_path / "series", slices=1)
    for number in range(5):
        with pytest.raises(PacsError):
            send_series(port, series, f"STRANGER{number}")
    wait_for(lambda: "association refused" in caplog.text)
    assert caplog.text.count("association refused") == 1


def test_places_are_free_again_after_an_association(listen, tmp_path):
    port = listen(associations=1)
    series = head_series(tmp_path / "series", slices=2)

    def sent():
        # A place is free once the thread of the association before has ended, a moment after its release.
        with contextlib.suppress(Rejected):
            return len(send_series(port, series)) == 2

    for _ in range(3):
        wait_for(sent)


class Alive(threading.Thread):
    def is_alive(self):
        return True


class OpenSocket:
    closed = False

    def fileno(self):
        return -1 if self.closed else 3

    def shutdown(self, _how):
        self.closed = True

    def close(self):
        self.closed = True


def test_the_oldest_of_one_address_makes_room_for_its_own():
    """Who shares an address with a broken or hostile program is not kept out."""
    guard = ConnectionGuard(ConnectionLimits(pending=10, pending_each=2))
    socks = [OpenSocket() for _ in range(5)]
    for number, sock in enumerate(socks):
        guard.connected(("a", number), sock)
    assert [sock.closed for sock in socks] == [True, True, True, False, False]


def test_an_association_that_has_not_started_yet_counts():
    """The guard may look between the record of the thread and its start."""
    guard, sock = ConnectionGuard(ConnectionLimits(associate_seconds=0.0)), OpenSocket()
    guard.connected(("a", 1), sock)
    guard.replaced(("a", 1), sock, threading.Thread())
    assert guard.counts() == (1, 0)
    guard.sweep()
    assert sock.closed


def test_a_connection_that_tls_takes_over_counts():
    """Its first socket looks closed, and the guard may look before it knows the second."""
    guard, before, after = ConnectionGuard(), OpenSocket(), OpenSocket()
    guard.connected(("a", 1), before)
    before.closed = True
    assert guard.counts() == (0, 0)
    guard.replaced(("a", 1), after)
    assert guard.counts() == (1, 0)


def test_a_pinned_address_finds_a_place_whatever_others_hold():
    guard = ConnectionGuard(ConnectionLimits(associations=4), frozenset({"10.0.0.1"}))
    taken = [guard.requested(("10.0.0.9", port), Alive()) for port in range(10)]
    taken += [guard.requested((f"10.0.1.{last}", 1), Alive()) for last in range(10)]
    assert sum(taken) == 3
    assert guard.requested(("10.0.0.1", 1), Alive())
    assert not guard.requested(("10.0.0.1", 2), Alive()), "no more than all places"


def test_the_oldest_of_the_busiest_address_makes_room():
    now = [0.0]
    guard = ConnectionGuard(ConnectionLimits(pending=4, pending_each=3), clock=lambda: now[0])
    socks = []
    for number, address in enumerate(["a", "b", "b", "b", "c"]):
        now[0] = number
        socks.append(OpenSocket())
        guard.connected((address, number), socks[-1])
    assert [sock.closed for sock in socks] == [False, True, False, False, False]
    assert guard.counts() == (4, 0)
    guard.connected(("c", 6), OpenSocket())
    assert guard.counts() == (4, 0), "one of b was closed again"
    now[0] = 1 + ConnectionLimits().associate_seconds + 0.5
    guard.sweep()
    assert [sock.closed for sock in socks] == [True, True, True, False, False]


def test_objects_are_identified_within_limits():
    """Seven megabytes of zeros are 900 000 empty elements; deep sequences end no thread."""
    import io

    deep = struct.pack("<HHI", 8, 0x1140, 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) * 5000
    for content in (bytes(7_000_000), deep):
        content = bytes(128) + b"DICM" + content
        with pytest.raises(DamagedFile):
            survey(io.BytesIO(content), len(content), ((8, 0x18), (0x20, 0xE)))


@pytest.mark.parametrize("command", [bytes(range(256)) * 4, struct.pack("<HHI", 0, 2, 0x7FFFFFFF) + b"1.2"])
def test_a_senseless_command_prints_nothing_and_frees_its_place(listen, receivers, tmp_path, monkeypatch, command):
    """It ends the connection's thread inside pynetdicom; a traceback may quote what was sent."""
    from pynetdicom import AE

    shown = []
    monkeypatch.setattr(threading, "excepthook", shown.append)
    port = listen()
    entity = AE("SCANNER")
    entity.add_requested_context("1.2.840.10008.5.1.4.1.1.2")
    sender = entity.associate("127.0.0.1", port, ae_title="MIDLINESHIFT")
    assert sender.is_established
    content = struct.pack(">LBB", len(command) + 2, sender.accepted_contexts[0].context_id, 3) + command
    sender.dul.socket.socket.sendall(struct.pack(">BxL", 4, len(content)) + content)
    wait_for(lambda: receivers[0][0]._guard.counts() == (0, 0))
    sender.abort()
    assert shown == []
    assert len(send_series(port, head_series(tmp_path / "series", slices=2))) == 2
    boom = threading.Thread(target=lambda: 1 / 0)
    boom.start()
    boom.join()
    assert len(shown) == 1, "errors of other threads are shown as before"
