"""Who may send what, and what is answered: the receiver against pynetdicom as a sender, no PACS needed."""

import contextlib
import logging
import re
import threading
import types

import pytest
from pacs_case import PATIENCE_SECONDS, PATIENT, SERIES, head_series, wait_for

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.pacs import receiver as module
from MidlineShiftLogic.pacs.access_control import (
    AllowedSender,
    TlsFiles,
    client_context,
    parse_allowed_sender,
    server_context,
)
from MidlineShiftLogic.pacs.dicom_files import find_dicom_files, image_file_name
from MidlineShiftLogic.pacs.dimse import DimseSender
from MidlineShiftLogic.pacs.queue import Queue
from MidlineShiftLogic.pacs.receiver import Limits, Receiver
from MidlineShiftLogic.pacs.spool import Spool
from MidlineShiftLogic.pacs.targets import DicomTarget, PacsError, Rejected, Unreachable
from MidlineShiftLogic.pacs.transfers import Transfers

SCANNER = (AllowedSender("SCANNER"),)


@pytest.fixture
def desk(tmp_path):
    """``desk(allowed=..., limits=..., tls=...)`` -> receiver, queue, spool, transfers and a sender to it."""
    with contextlib.ExitStack() as stack:

        def start(allowed=SCANNER, limits=None, tls=None, **room):
            spool = Spool(tmp_path / "spool", **{"min_free_bytes": 0, **room})
            queue, transfers = Queue(spool.database), Transfers()
            stack.callback(queue.close)
            receiver = Receiver("MIDLINESHIFT", ("127.0.0.1", 0), allowed, spool, queue, transfers, limits, tls)
            port = receiver.start()
            stack.callback(receiver.stop)

            def send(files, aet="SCANNER", called="MIDLINESHIFT", tls=None, host="127.0.0.1"):
                sender = DimseSender(DicomTarget(called, host, port), aet, tls)
                return list(sender.send(list(find_dicom_files([files] if not isinstance(files, list) else files))))

            return types.SimpleNamespace(
                receiver=receiver, queue=queue, spool=spool, transfers=transfers, send=send, port=port
            )

        yield start


@pytest.fixture
def series(tmp_path):
    return head_series(tmp_path / "series")


def test_images_are_kept_as_they_came(desk, series):
    """Byte for byte but for the file meta information, which is the receiver's own."""
    import pydicom

    one = desk()
    assert len(one.send(series)) == 12
    job = one.queue.find_by_series(SERIES)
    wait_for(lambda: not one.queue.job(job.id).in_transfer)
    kept = {ds.SOPInstanceUID: ds for ds in map(pydicom.dcmread, one.spool.images(job.id).iterdir())}
    for path in series.iterdir():
        original = pydicom.dcmread(path)
        assert kept[original.SOPInstanceUID] == original
    assert one.spool.root.stat().st_mode & 0o077 == 0, "nobody else may read it"


@pytest.mark.parametrize(("aet", "called"), [("STRANGER", "MIDLINESHIFT"), ("SCANNER", "OTHER")])
def test_unknown_titles_are_refused(desk, series, aet, called, caplog):
    one = desk()
    with caplog.at_level(logging.WARNING, "midlineshift.listen"):
        with pytest.raises(Rejected):
            one.send(series, aet, called)
        wait_for(lambda: "association refused" in caplog.text)  # the answer may be quicker than the log
    assert not one.queue.all() and "127.0.0.1" in caplog.text


def test_a_known_title_from_another_address_is_refused(desk, series):
    one = desk(allowed=(AllowedSender("SCANNER", "127.0.0.9"),))
    with pytest.raises(PacsError):
        one.send(series)
    assert not one.queue.all()


def test_a_known_title_from_its_address(desk, series):
    one = desk(allowed=(parse_allowed_sender("SCANNER@127.0.0.1"),))
    assert len(one.send(series)) == 12


def test_the_end_of_a_transfer_is_recorded_before_it_is_confirmed(desk, series, monkeypatch):
    """Killed just after the confirmation, the listener must know that the sender is done."""
    monkeypatch.setattr(module.Receiver, "_released", lambda *_: None)
    one = desk()
    one.send(series)
    job = one.queue.find_by_series(SERIES)
    assert not job.in_transfer and not one.transfers.is_open(job.id)


def test_an_aborted_association_leaves_the_series_open(desk, series):
    from MidlineShiftLogic.pacs.dimse import _contexts, application_entity, associate

    one = desk()
    files = list(find_dicom_files([series]))
    association = associate(
        application_entity("SCANNER"), DicomTarget("MIDLINESHIFT", "127.0.0.1", one.port), _contexts(files), None
    )
    for file in files[:5]:
        assert association.send_c_store(file.path).Status == 0
    job = one.queue.find_by_series(SERIES)
    assert one.transfers.is_open(job.id)
    association.abort()
    wait_for(lambda: not one.transfers.is_open(job.id))
    assert one.queue.job(job.id).in_transfer, "broken off, not ended"
    one.send(series)
    wait_for(lambda: not one.queue.job(job.id).in_transfer)
    assert len(one.spool.image_names(job.id)) == 12


def test_stopped_in_the_middle_of_a_transfer(desk, series):
    """At once; the sender hears that it was cut off, and the series is open for the rest."""
    from MidlineShiftLogic.pacs.dimse import _contexts, application_entity, associate

    one = desk()
    files = list(find_dicom_files([series]))
    association = associate(
        application_entity("SCANNER"), DicomTarget("MIDLINESHIFT", "127.0.0.1", one.port), _contexts(files), None
    )
    assert association.send_c_store(files[0].path).Status == 0
    one.receiver.stop()
    wait_for(lambda: association.is_aborted)
    assert one.queue.find_by_series(SERIES).in_transfer


def test_a_connection_that_vanishes_leaves_the_series_open(desk, series):
    """No abort, no release: the socket is gone."""
    from MidlineShiftLogic.pacs.dimse import _contexts, application_entity, associate

    one = desk()
    files = list(find_dicom_files([series]))
    association = associate(
        application_entity("SCANNER"), DicomTarget("MIDLINESHIFT", "127.0.0.1", one.port), _contexts(files), None
    )
    assert association.send_c_store(files[0].path).Status == 0
    association.dul.socket.socket.close()
    job = one.queue.find_by_series(SERIES)
    wait_for(lambda: (one.receiver.sweep(), not one.transfers.is_open(job.id))[1])
    assert one.queue.job(job.id).in_transfer


class DeadAssociation:
    """Its thread is gone, and no event showed it."""

    def __init__(self, released):
        self.is_released = released

    def is_alive(self):
        return False


@pytest.mark.parametrize("released", [False, True])
def test_an_association_whose_thread_died(desk, released):
    """It counts as ended in order only if it was released."""
    one = desk()
    job = one.queue.begin_image("1.2.9", 0)
    one.transfers.image(DeadAssociation(released), job.id)
    one.receiver.sweep()
    assert not one.transfers.is_open(job.id) and one.queue.job(job.id).in_transfer is not released


def test_a_known_image_is_no_longer_lost(desk, series):
    """Killed between the file and the note that it is there."""
    one = desk()
    one.send(series)
    job = one.queue.find_by_series(SERIES)
    one.queue.image_lost(job.id, sorted(one.spool.image_names(job.id))[3])
    one.send(series)
    assert one.queue.lost_images(job.id) == 0


def test_objects_beyond_the_limit(desk, series, caplog):
    one = desk(limits=Limits(image_bytes=1000))
    with caplog.at_level(logging.WARNING, "midlineshift.listen"), pytest.raises(Unreachable, match="0xA700"):
        one.send(series)
    assert "larger than --max-image-mb" in caplog.text
    job = one.queue.find_by_series(SERIES)
    assert one.queue.lost_images(job.id) == 1 and not one.spool.image_names(job.id)


def test_an_object_that_would_fill_the_memory_ends_its_association(desk, tmp_path, caplog):
    from make_scans import make_head, write_dicom

    one = desk(limits=Limits(image_bytes=10_000))
    huge = write_dicom(make_head(1, size=1100, pixel=0.2), tmp_path / "huge", **PATIENT)
    assert next(huge.iterdir()).stat().st_size > 2_000_000
    with caplog.at_level(logging.WARNING, "midlineshift.listen"), pytest.raises(Unreachable):
        one.send(huge)
    assert "association ended, an object is larger than --max-image-mb" in caplog.text
    assert not one.queue.all()
    small = write_dicom(make_head(1, size=16), tmp_path / "small", **PATIENT)
    assert len(one.send(small)) == 1, "others are still served"


def test_more_images_than_allowed(desk, series):
    one = desk(limits=Limits(images=7))
    with pytest.raises(Unreachable):
        one.send(series)
    job = one.queue.find_by_series(SERIES)
    assert len(one.spool.image_names(job.id)) == 7 and one.queue.lost_images(job.id) == 1


@pytest.mark.parametrize("room", [{"max_bytes": 20_000}, {"min_free_bytes": 10**15}])
def test_no_room_is_reported_and_loses_nothing(desk, series, room, caplog):
    """The sender hears 'out of resources' and sends again when there is room."""
    one = desk(**room)
    with caplog.at_level(logging.WARNING, "midlineshift.listen"), pytest.raises(Unreachable, match="0xA700"):
        one.send(series)
    assert "no room for images" in caplog.text
    job = one.queue.find_by_series(SERIES)
    wait_for(lambda: not one.queue.job(job.id).in_transfer)
    assert one.queue.lost_images(job.id) == 1, "not finished before it came"
    one.spool._max_bytes, one.spool._min_free_bytes = 10**12, 0
    one.send(series)
    assert len(one.spool.image_names(job.id)) == 12 and not one.queue.lost_images(job.id)


def test_a_disk_that_fails(desk, series, monkeypatch):
    one = desk()
    monkeypatch.setattr(
        one.spool, "put_image", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    with pytest.raises(Unreachable, match="0xA700"):
        one.send(series)
    assert one.queue.lost_images(one.queue.find_by_series(SERIES).id) == 1


def test_a_queue_that_fails_leaves_no_complete_series(desk, series, monkeypatch):
    """Not even the loss can be written down: the transfer counts as broken."""
    import sqlite3

    one = desk()
    one.send([sorted(series.iterdir())[0]])
    job = one.queue.find_by_series(SERIES)
    wait_for(lambda: not one.queue.job(job.id).in_transfer)

    def fail(*_):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(one.queue, "image_lost", fail)
    monkeypatch.setattr(one.spool, "put_image", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(Unreachable):
        one.send([sorted(series.iterdir())[1]])
    wait_for(lambda: not one.transfers.associations())
    assert one.queue.job(job.id).in_transfer


def test_other_objects_are_taken_and_dropped(desk, tmp_path, series):
    """A study holds more than CT; a sender that stops at the first refusal must not."""
    from pacs_case import result_files

    out = tmp_path / "out"
    out.mkdir()
    results = result_files(series, out)
    one = desk()
    assert len(one.send([*results, *series.iterdir()])) == 15
    assert [len(one.spool.image_names(job.id)) for job in one.queue.all()] == [12]


def test_an_object_with_another_identity_than_announced(desk, series, monkeypatch):
    one = desk()
    monkeypatch.setattr(module, "identify_object", lambda content: (SERIES, "1.2.3"))
    with pytest.raises(Rejected, match="0xA900"):
        one.send(series)
    assert not one.queue.all()


def test_an_object_that_cannot_be_read(desk, series, monkeypatch, caplog):
    one = desk()

    def stumble(content):
        raise KeyError("Secretname^Jane")

    monkeypatch.setattr(module, "identify_object", stumble)
    with caplog.at_level(logging.WARNING, "midlineshift.listen"), pytest.raises(Rejected, match="0xC000"):
        one.send(series)
    assert "not understood (KeyError)" in caplog.text and "Secret" not in caplog.text


@pytest.mark.parametrize("uid", ["../../../x", "/etc/x", "1.2.3", "", "\0", "é" * 500])
def test_odd_uids_are_harmless_file_names(uid):
    """A path in a UID leads nowhere."""
    assert re.fullmatch(r"[0-9a-f]{32}\.dcm", image_file_name(uid))


def test_two_senders_at_once(desk, series, tmp_path):
    one = desk()
    other = head_series(tmp_path / "other", SERIES + ".5")
    threads = [threading.Thread(target=one.send, args=(folder,)) for folder in (series, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert sorted(len(one.spool.image_names(job.id)) for job in one.queue.all()) == [12, 12]


def test_more_senders_than_allowed(desk, series):
    from MidlineShiftLogic.pacs.dimse import _contexts, application_entity, associate

    one = desk(limits=Limits(associations=1))
    files = list(find_dicom_files([series]))
    target = DicomTarget("MIDLINESHIFT", "127.0.0.1", one.port)
    first = associate(application_entity("SCANNER"), target, _contexts(files), None)
    with pytest.raises(PacsError):
        one.send(series)
    first.release()

    def taken() -> bool:
        # the association is over for us a moment before the toolkit counts it off
        try:
            return len(one.send(series)) == 12
        except PacsError:
            return False

    wait_for(taken)


def test_echo(desk):
    from pynetdicom.sop_class import Verification

    from MidlineShiftLogic.pacs.dimse import application_entity, associate

    one = desk()
    entity = application_entity("SCANNER")
    entity.add_requested_context(Verification)
    association = associate(entity, DicomTarget("MIDLINESHIFT", "127.0.0.1", one.port), entity.requested_contexts, None)
    assert association.send_c_echo().Status == 0
    association.release()


def test_a_port_in_use_is_one_sentence(desk, tmp_path):
    one = desk()
    second = Receiver("X", ("127.0.0.1", one.port), [AllowedSender("A")], one.spool, one.queue, one.transfers)
    with pytest.raises(InputError, match=r"Cannot listen on 127.0.0.1:\d+: .*; choose another"):
        second.start()


def test_tls_with_certificates_of_both_sides(desk, series, certificates):
    one = desk(tls=server_context(certificates))
    assert len(one.send(series, tls=client_context(certificates))) == 12
    for wrong in (None, client_context(TlsFiles(authority=certificates.authority))):
        with pytest.raises(PacsError):  # plain, and without a certificate of its own
            one.send(series, tls=wrong)


def test_tls_files_that_are_none(tmp_path):
    with pytest.raises(InputError, match="both --tls-cert and --tls-key"):
        server_context(TlsFiles(authority=tmp_path / "ca.pem"))
    with pytest.raises(InputError, match="cannot be used"):
        client_context(TlsFiles(authority=tmp_path / "ca.pem"))


@pytest.mark.parametrize("text", ["", "A" * 17, "A\\B", "Ä", "A@name.example", "A@"])
def test_wrong_entries_of_the_allow_list(text):
    with pytest.raises(InputError):
        parse_allowed_sender(text)
