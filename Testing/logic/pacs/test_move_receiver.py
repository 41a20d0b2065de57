"""The port of a pull: it takes the series that was asked for, and is guarded as the listener's is."""

import contextlib
import socket
import struct

import pytest
from pacs_case import SERIES, head_series

from MidlineShiftLogic.pacs.dicom_files import find_dicom_files
from MidlineShiftLogic.pacs.dimse import DimseSender
from MidlineShiftLogic.pacs.move_receiver import MoveReceiver
from MidlineShiftLogic.pacs.receiver import Limits
from MidlineShiftLogic.pacs.targets import Busy, DicomTarget, Rejected, Unreachable


@pytest.fixture
def receive(tmp_path):
    """A function that starts a receiver: it, a function that sends to it, and its port."""
    folder = tmp_path / "received"
    folder.mkdir()
    with contextlib.ExitStack() as stack:

        def start(**limits):
            receiver = MoveReceiver("US", ("127.0.0.1", 0), SERIES, folder, limits=Limits(**limits))
            port = receiver.start()
            stack.callback(receiver.stop)

            def send(series, called="US"):
                sender = DimseSender(DicomTarget(called, "127.0.0.1", port), "PACS")
                return list(sender.send(list(find_dicom_files([series]))))

            return receiver, send, port

        yield start


def test_the_series_and_nothing_else(receive, tmp_path):
    receiver, send, _ = receive()
    assert len(send(head_series(tmp_path / "asked", slices=3))) == 3
    with pytest.raises(Rejected, match="0xA900"):
        send(head_series(tmp_path / "other", SERIES + ".9", slices=1))
    with pytest.raises(Rejected, match="its AE title is not THEM"):
        send(tmp_path / "asked", "THEM")
    assert len(receiver.received) == len(list((tmp_path / "received").iterdir())) == 3


def test_an_object_beyond_the_limit(receive, tmp_path):
    from make_scans import make_head, write_dicom

    receiver, send, _ = receive(image_bytes=10_000)
    huge = write_dicom(make_head(1, size=1100, pixel=0.2), tmp_path / "huge", SeriesInstanceUID=SERIES)
    with pytest.raises(Unreachable):
        send(huge)
    assert not receiver.received


def test_no_place_is_said_as_busy(receive, tmp_path):
    series = head_series(tmp_path / "series", slices=2)
    _, send, port = receive(associations=1)
    sender = DimseSender(DicomTarget("US", "127.0.0.1", port), "PACS").send(list(find_dicom_files([series])))
    next(sender)
    with pytest.raises(Busy):
        send(series)
    sender.close()


def test_a_pdu_that_claims_too_much_is_not_read(receive):
    with socket.create_connection(("127.0.0.1", receive()[2]), 10) as sock:
        sock.sendall(struct.pack(">BxL", 1, (1 << 32) - 1))
        sent = 0
        with contextlib.suppress(OSError):
            while sent < 64_000_000:
                sent += sock.send(bytes(1 << 16))
        assert sent < 32_000_000
