"""The queue's decisions, step by step, on a clock of the test's own."""

import threading
from dataclasses import dataclass, field

import pydicom
import pytest
from pacs_case import FakeMeasurer, head_series, result_files

from MidlineShiftLogic.pacs.job import Backoff
from MidlineShiftLogic.pacs.measuring import MeasurementFailed, Outcome
from MidlineShiftLogic.pacs.queue import Queue
from MidlineShiftLogic.pacs.spool import Spool
from MidlineShiftLogic.pacs.targets import Rejected, Unreachable
from MidlineShiftLogic.pacs.transfers import Transfers
from MidlineShiftLogic.pacs.worker import DAY_SECONDS, Rules, Worker

SERIES = "1.2.3"


class Measuring:
    """A measurer that does what the test says; ``seen`` holds the image names of every measurement."""

    version = "one"

    def __init__(self):
        self.seen, self.then = [], None

    def measure(self, images, out, stop):
        self.seen.append(sorted(path.name for path in images.iterdir()))
        if self.then:
            answer = self.then()
            if answer:
                return answer
        return Outcome(tuple(result_files(images, out)))


@dataclass
class Sending:
    """A sender that records; ``fails`` holds (files it takes before, error) of the next calls, ``meanwhile`` is called once,
    after the first file."""

    sent: list = field(default_factory=list)
    fails: list = field(default_factory=list)
    meanwhile: object = None

    def send(self, files):
        takes, error = self.fails.pop(0) if self.fails else (len(files), None)
        for file in files[:takes]:
            self.sent.append(file.sop_instance_uid)
            yield file
            if self.meanwhile:
                hook, self.meanwhile = self.meanwhile, None
                hook()
        if error:
            raise error


def instance_number(path):
    """Files are written in shuffled order; the tests count them from the lowest slice."""
    return int(pydicom.dcmread(path, stop_before_pixels=True).InstanceNumber)


class Desk:
    """Spool, queue and worker with a clock that the test turns."""

    def __init__(self, folder, images, **rules):
        self.time = 1000.0
        self.folder, self.images = folder, sorted(images.iterdir(), key=instance_number)
        self.rules = Rules(**{"quiet_seconds": 10, "give_up_seconds": 100, **rules})
        self.measuring, self.sending = Measuring(), Sending()
        self.open()

    def open(self):
        self.spool, self.queue = Spool(self.folder, min_free_bytes=0), Queue(self.folder / "queue.sqlite")
        self.transfers = Transfers(lambda: self.time)
        self.worker = Worker(
            self.spool,
            self.queue,
            self.transfers,
            self.measuring,
            self.sending,
            lambda: self.time,
            self.rules,
            Backoff(5, 60),
        )
        self.worker.recover()

    def restart(self):
        """As after a kill: nothing but the folder remains."""
        self.queue.close()
        self.open()

    def receive(self, indices, ends="released", series=SERIES, by="association"):
        """Images of the series over one association, as the receiver does it."""
        for index in indices:
            path = self.images[index]
            job = self.queue.find_by_series(series)
            if not (job and job.state != "failed" and self.spool.has_image(job.id, f"{path.name}.dcm")):
                job = self.queue.begin_image(series, self.time)
                self.spool.put_image(job.id, f"{path.name}.dcm", path.read_bytes())
            self.queue.image_kept(job.id, f"{path.name}.dcm")
            self.transfers.image(by, job.id)
        if ends != "open":
            if ends == "released":
                self.queue.transfer_ended(self.transfers.released(by))
            else:
                self.transfers.aborted(by)

    def later(self, seconds):
        """Time goes by; then everything that is due is done."""
        self.time += seconds
        self.worker.finish_series()
        while self.worker.measure_next(threading.Event()):
            pass
        while self.worker.send_next():
            pass
        return self.state

    @property
    def state(self):
        return self.queue.find_by_series(SERIES).state

    @property
    def reason(self):
        return self.queue.find_by_series(SERIES).reason


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    return head_series(tmp_path_factory.mktemp("images") / "series", SERIES)


@pytest.fixture
def desk(tmp_path, images):
    made = Desk(tmp_path / "spool", images)
    yield made
    made.queue.close()


ALL = range(12)


def test_a_series_is_finished_when_quiet_and_released(desk):
    desk.receive(range(6), ends="open")
    assert desk.later(50) == desk.later(100) == "receiving", "the association is still open"
    desk.receive(range(6, 12))
    assert desk.later(9) == "receiving", "not yet quiet for long enough"
    assert desk.later(2) == "sent"
    assert [len(seen) for seen in desk.measuring.seen] == [12] and len(desk.sending.sent) == 3
    assert not desk.spool.image_names(1) and not desk.spool.results(1)


def test_images_over_several_associations_are_one_series(desk):
    for index in ALL:
        desk.receive([index])
        assert desk.later(5) == "receiving"
    assert desk.later(10) == "sent"
    assert [len(seen) for seen in desk.measuring.seen] == [12]


@pytest.mark.parametrize("restart", [False, True])
def test_a_broken_transfer_waits_for_the_rest(desk, restart):
    desk.receive(range(6), ends="aborted")
    if restart:
        desk.restart()
    assert desk.later(90) == "receiving"
    desk.receive(range(4, 12))
    assert desk.later(10) == "sent"
    assert [len(seen) for seen in desk.measuring.seen] == [12]


@pytest.mark.parametrize("more", [False, True])
def test_one_of_two_parallel_transfers_breaks_off(desk, more):
    """The other's end says nothing of what the broken one still had; unless it brought more of it afterwards."""
    desk.receive(range(8, 11), ends="open", by="second")
    desk.receive(range(6), ends="aborted", by="first")
    desk.receive([11] if more else [], ends="released", by="second")
    assert desk.later(20) == ("refused" if more else "receiving")
    desk.receive(range(5, 8), by="third")
    assert desk.later(20) == "sent"
    assert [len(seen) for seen in desk.measuring.seen] == [11 + more]


def test_a_broken_transfer_is_refused_in_the_end_and_taken_up_later(desk):
    desk.receive(range(6), ends="aborted")
    assert desk.later(101) == "refused" and "its transfer was aborted" in desk.reason
    assert len(desk.spool.image_names(1)) == 6, "kept: the rest may come"
    desk.receive(range(6, 12))
    assert desk.later(10) == "sent"
    assert [len(seen) for seen in desk.measuring.seen] == [12]


def test_images_of_incomplete_series_are_kept_for_a_time_only(desk):
    desk.receive(range(6), ends="aborted")
    desk.later(101)
    desk.later(6.9 * DAY_SECONDS)
    desk.worker.drop_old()
    assert desk.spool.image_names(1)
    desk.later(0.2 * DAY_SECONDS)
    desk.worker.drop_old()
    assert not desk.spool.image_names(1) and desk.state == "refused"
    desk.receive(range(6, 12))
    assert desk.later(20) == "refused" and "send the whole series" in desk.reason, "the other half alone is no head"
    desk.later(91 * DAY_SECONDS)
    desk.worker.drop_old()
    assert desk.queue.find_by_series(SERIES) is None


def test_a_lost_image_keeps_a_series_from_being_finished(desk):
    desk.receive(ALL[:-1])
    desk.queue.image_lost(1, f"{desk.images[-1].name}.dcm")
    assert desk.later(20) == "receiving"
    desk.receive([11])
    assert desk.later(20) == "sent"


def test_a_lost_image_that_never_comes(desk):
    desk.receive(ALL[:-1])
    desk.queue.image_lost(1, f"{desk.images[-1].name}.dcm")
    assert desk.later(101) == "refused" and "1 image could not be stored" in desk.reason
    assert not desk.measuring.seen


def test_a_missing_slice_is_seen_and_mended(desk):
    desk.receive([index for index in ALL if index != 6])
    assert desk.later(20) == "refused" and "it lacks 1 of its slices" in desk.reason
    desk.receive([6])
    assert desk.later(20) == "sent"


def test_late_images_make_a_series_be_measured_again(desk):
    """While it waits, is measured, or its results are being sent: what was measured of part of it is void."""
    desk.measuring.then = lambda: desk.receive(range(8, 12)) if len(desk.measuring.seen) == 1 else None
    desk.receive(range(8))
    assert desk.later(20) == "receiving"
    assert not desk.sending.sent and not desk.spool.results(1)
    assert desk.later(20) == "sent"
    assert [len(seen) for seen in desk.measuring.seen] == [8, 12] and len(desk.sending.sent) == 3


def test_late_images_while_the_pacs_is_away(desk):
    desk.sending.fails = [(1, Unreachable("gone."))]
    desk.receive(range(8))
    assert desk.later(20) == "sending"
    desk.receive(range(8, 12))
    assert desk.later(20) == "sent"
    assert [len(seen) for seen in desk.measuring.seen] == [8, 12]
    assert len(desk.sending.sent) == 1 + 3


def test_late_images_while_results_are_on_their_way(desk):
    """The series is measured anew while the older results are still being sent: none of the new ones counts as sent."""

    def meanwhile():
        desk.receive(range(8, 12))
        desk.time += 20
        desk.worker.finish_series()
        desk.worker.measure_next(threading.Event())

    desk.sending.meanwhile = meanwhile
    desk.receive(range(8))
    assert desk.later(20) == "sent"
    assert [len(seen) for seen in desk.measuring.seen] == [8, 12]
    assert len(desk.sending.sent) == 6 and len(set(desk.sending.sent)) == 6


def test_known_images_are_not_measured_twice(desk):
    desk.receive(ALL)
    assert desk.later(20) == "sent"
    desk.receive(ALL)
    assert desk.state == "receiving" and desk.later(20) == "sent"
    desk.receive(range(3), ends="aborted")
    assert desk.later(101) == "sent"
    assert len(desk.measuring.seen) == 1 and len(desk.sending.sent) == 3 and not desk.spool.image_names(1)


def test_another_model_measures_known_images_again(desk):
    desk.receive(ALL)
    desk.later(20)
    desk.measuring.version = "two"
    desk.receive(ALL)
    assert desk.later(20) == "sent"
    assert len(desk.measuring.seen) == 2


def test_one_image_after_the_series_was_sent(desk):
    """The others are dropped by then: it is never measured on part of the images, and the whole series is."""
    desk.receive(ALL[:-1])
    assert desk.later(20) == "sent"
    desk.receive([11])
    assert desk.later(20) == "refused" and "send the whole series" in desk.reason
    desk.receive(ALL)
    assert desk.later(20) == "sent"
    assert [len(seen) for seen in desk.measuring.seen] == [11, 12]


def test_a_crash_of_a_case_is_tried_thrice_and_then_kept(desk):
    def crash():
        raise MeasurementFailed("measuring ended without an answer (exit code -11)")

    desk.measuring.then = crash
    desk.receive(ALL)
    assert desk.later(20) == "waiting"
    assert desk.later(4) == "waiting" and len(desk.measuring.seen) == 1, "not before its time"
    assert desk.later(1) == "waiting" and desk.later(10) == "failed"
    assert len(desk.measuring.seen) == 3 and len(desk.spool.image_names(1)) == 12
    desk.measuring.then = None
    assert desk.queue.retry(1, has_results=False, now=desk.time)
    assert desk.later(0) == "sent"


def test_a_case_that_takes_the_listener_with_it_is_given_up(desk):
    desk.receive(ALL)
    desk.time += 20
    desk.worker.finish_series()
    for _ in range(6):
        assert desk.queue.claim(desk.time)
        desk.restart()
    assert desk.later(0) == "failed" and not desk.measuring.seen


def test_refused_by_the_measurement(desk):
    desk.measuring.then = lambda: Outcome(refused="no-head: No head was found.")
    desk.receive(ALL)
    assert desk.later(20) == "refused" and desk.reason == "no-head: No head was found."
    assert not desk.sending.sent and not desk.spool.image_names(1)
    desk.receive(ALL)
    assert desk.later(20) == "refused" and len(desk.measuring.seen) == 1


def test_reports_of_refusals_where_wanted(tmp_path, images):
    desk = Desk(tmp_path / "spool", images, send_refusals=True, keep_refused=True)
    out = tmp_path / "out"
    out.mkdir()
    desk.measuring.then = lambda: Outcome(tuple(result_files(images, out)[:1]), "motion: It moved.")
    desk.receive(ALL)
    assert desk.later(20) == "sent" and desk.reason == "motion: It moved." and len(desk.sending.sent) == 1
    desk.queue.close()


def test_refused_series_are_kept_where_wanted(tmp_path, images):
    desk = Desk(tmp_path / "spool", images, keep_refused=True)
    desk.measuring.then = lambda: Outcome(refused="no")
    desk.receive(ALL)
    assert desk.later(20) == "refused" and len(desk.spool.image_names(1)) == 12
    desk.restart()
    assert len(desk.spool.image_names(1)) == 12
    desk.queue.close()


def test_a_silent_pacs_is_tried_for_ever_ever_more_rarely(desk):
    desk.sending.fails = [(1, Unreachable("away."))] + [(0, Unreachable("away."))] * 200
    desk.receive(ALL)
    desk.later(20)
    asked = 201 - len(desk.sending.fails)
    for _ in range(60):
        desk.later(60)
    assert asked < 201 - len(desk.sending.fails) <= asked + 61 and desk.state == "sending"
    desk.sending.fails = []
    desk.restart()
    assert desk.later(60) == "sent"
    assert len(desk.sending.sent) == len(set(desk.sending.sent)) == 3, "what was confirmed is not sent again"
    assert len(desk.measuring.seen) == 1


def test_a_pacs_that_refuses_is_tried_five_times(desk):
    desk.sending.fails = [(1, Rejected("no."))] + [(0, Rejected("no."))] * 4
    desk.receive(ALL)
    desk.later(20)
    for _ in range(8):
        desk.later(60)
    assert desk.state == "failed" and not desk.sending.fails and len(desk.spool.results(1)) == 3
    # Sent once more by the PACS, it is tried once more, without measuring.
    desk.receive(ALL)
    assert desk.later(20) == "sent"
    assert len(desk.measuring.seen) == 1 and len(set(desk.sending.sent)) == 3


def test_a_refused_job_does_not_hold_up_the_others(desk):
    desk.sending.fails = [(0, Rejected("no."))]
    desk.receive(ALL)
    desk.receive(ALL, series="1.2.4")
    desk.later(20)
    assert (desk.state, desk.queue.find_by_series("1.2.4").state) == ("sending", "sent")


def test_results_that_vanished_are_not_called_sent(desk):
    desk.sending.fails = [(0, Unreachable("away."))]
    desk.receive(ALL)
    desk.later(20)
    desk.spool.drop_results(1)
    assert desk.later(20) == "failed" and "in the spool are incomplete" in desk.reason


@pytest.mark.parametrize("harm", ["missing", "truncated"])
def test_results_that_are_harmed_are_not_sent_in_part(desk, harm):
    desk.sending.fails = [(0, Unreachable("away."))]
    desk.receive(ALL)
    desk.later(20)
    file = desk.spool.results(1)[1].path
    file.write_bytes(b"" if harm == "missing" else file.read_bytes()[:140])
    assert desk.later(20) == "failed" and not desk.sending.sent


def test_measuring_that_writes_no_objects_is_a_crash(desk):
    desk.measuring.then = lambda: Outcome(())
    desk.receive(ALL)
    assert desk.later(20) == "waiting" and desk.later(5) == "waiting" and desk.later(10) == "failed"
    assert "no complete DICOM objects" in desk.reason


def test_a_full_disk_is_not_the_cases_fault(desk, monkeypatch):
    """However often: it goes on when there is room."""
    keep = desk.spool.keep_results

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(desk.spool, "keep_results", full)
    desk.receive(ALL)
    desk.later(20)
    for _ in range(10):
        assert desk.later(60) == "waiting"
    monkeypatch.setattr(desk.spool, "keep_results", keep)
    assert desk.later(60) == "sent" and len(desk.sending.sent) == 3


def test_a_queue_that_could_not_be_written_goes_on(desk, monkeypatch):
    """The row still says "measuring", but nobody is: it is taken up again without a restart."""
    import sqlite3

    def full(*_, **__):
        raise sqlite3.OperationalError("database or disk is full")

    for name in ("results_ready", "unclaim", "fail"):
        monkeypatch.setattr(desk.queue, name, full)
    desk.receive(ALL)
    with pytest.raises(sqlite3.OperationalError):
        desk.later(20)
    monkeypatch.undo()
    assert desk.state == "measuring" and desk.later(60) == "sent"
    assert len(desk.sending.sent) == 3


def test_a_strange_answer_does_not_hold_up_the_others(desk):
    desk.sending.fails = [(0, KeyError("Secretname^Jane"))]
    desk.receive(ALL)
    desk.receive(ALL, series="1.2.4")
    desk.later(20)
    assert (desk.state, desk.queue.find_by_series("1.2.4").state) == ("sending", "sent")
    assert desk.later(10) == "sent"


def test_killed_between_sent_and_dropped(desk):
    """The row says sent, the images are still there: the next start drops them and sends nothing."""
    desk.receive(ALL)
    drop, desk.worker._drop = desk.worker._drop, lambda job: None
    assert desk.later(20) == "sent" and desk.spool.image_names(1)
    desk.worker._drop = drop
    desk.restart()
    assert not desk.spool.image_names(1) and not desk.spool.results(1)
    desk.later(20)
    assert len(desk.sending.sent) == 3


def test_killed_between_results_and_their_announcement(desk, monkeypatch):
    """Results are there but the row does not say so: nothing of them was sent, and it is measured again."""

    def die(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(desk.queue, "results_ready", die)
    desk.receive(ALL)
    with pytest.raises(KeyboardInterrupt):
        desk.later(20)
    desk.restart()
    assert desk.state == "waiting" and not desk.sending.sent
    assert desk.later(0) == "sent" and len(desk.sending.sent) == 3


def test_a_spool_serves_one_listener(desk):
    from MidlineShiftLogic.errors import InputError

    hold = desk.spool.claim()
    with pytest.raises(InputError, match="in use by another listener"):
        Spool(desk.folder).claim()
    hold.close()
    Spool(desk.folder).claim().close()


def test_fake_measurer_is_one(tmp_path):
    """The stand-in of the other tests keeps to the protocol's promise to stop."""
    from MidlineShiftLogic.pacs.measuring import Stopped

    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        FakeMeasurer(tmp_path / "journal", 60).measure(tmp_path, tmp_path, stop)
