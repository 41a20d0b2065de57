"""The steps of the queue: finished series found, measured, their results sent, old things dropped."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from MidlineShiftLogic.pacs.backoff import Backoff
from MidlineShiftLogic.pacs.errors import Rejected, Unreachable
from MidlineShiftLogic.pacs.files import look_at
from MidlineShiftLogic.pacs.gate import Objection, objection
from MidlineShiftLogic.pacs.job import MEASURING, RECEIVING, REFUSED, SENDING, SENT, Job
from MidlineShiftLogic.pacs.measurer import Measurer, MeasuringFailed, Outcome, Stopped
from MidlineShiftLogic.pacs.queue import Queue
from MidlineShiftLogic.pacs.send import Sender
from MidlineShiftLogic.pacs.spool import Spool
from MidlineShiftLogic.pacs.transfers import Transfers

LOG = logging.getLogger("midlineshift.listen")
DAY, DISK_SECONDS = 86400.0, 60.0
REMEMBER_DAYS = 90.0
"""Finished jobs are forgotten after so long; the same series sent later than that is measured anew."""
MEASURING_ATTEMPTS, STARTS, SENDING_ATTEMPTS = 3, 6, 5
"""Tries of a series that crashes the measuring, of one that takes the whole listener with it, and of results that the PACS
refuses. A PACS that does not answer is tried forever."""


@dataclass(frozen=True)
class Rules:
    """How the listener decides.

    Attributes:
        quiet_seconds: without a new image before a series counts as finished.
        give_up_seconds: without a new image before a broken or incomplete transfer is refused.
        keep_days: how long images of incomplete series (and with ``keep_refused`` of all refused ones) stay.
        send_refusals: whether the report of a scan that was refused after reading is sent too.
    """

    quiet_seconds: float = 30.0
    give_up_seconds: float = 1800.0
    keep_days: float = 7.0
    keep_refused: bool = False
    send_refusals: bool = False


class Worker:
    """Each method does one thing that is due and says whether there was any; the listener's threads call them in turn."""

    def __init__(
        self,
        spool: Spool,
        queue: Queue,
        transfers: Transfers,
        measurer: Measurer,
        sender: Sender,
        clock: Callable[[], float],
        rules: Rules | None = None,
        backoff: Backoff | None = None,
    ):
        self._spool, self._queue, self._transfers = spool, queue, transfers
        self._measurer, self._sender, self._clock = measurer, sender, clock
        self._rules, self._backoff = rules or Rules(), backoff or Backoff()
        self._silences, self._silent_until = 0, 0.0

    def recover(self) -> None:
        """After a start: whatever a kill left is put right. Before anything else runs."""
        self._spool.clear_leavings()
        again = self._queue.restart()
        if again:
            LOG.info("%d unfinished measurements begin again", again)
        jobs = {job.id: job for job in self._queue.all()}
        for id in self._spool.jobs_with_files():
            job = jobs.get(id)
            if job is None:
                LOG.warning("job %d: files of it lie in the spool but the queue does not know it; they are left", id)
            elif job.state == SENT or (job.state, job.settled, self._rules.keep_refused) == (REFUSED, REFUSED, False):
                self._drop(job)

    # --- receiving -> waiting

    def finish_series(self) -> bool:
        """Look at every series that is being received; True if one moved on."""
        return sum(self._finish(job) for job in self._queue.all(RECEIVING)) > 0

    def _finish(self, job: Job) -> bool:
        if self._still_coming(job):
            return False
        with self._queue.lock:  # an image comes before or after all of this
            job = self._queue.job(job.id)
            lost = self._queue.lost_images(job.id)
            broken = job.in_transfer or lost > 0
            wait = self._rules.give_up_seconds if broken else 0.0
            if job.state != RECEIVING or self._still_coming(job) or self._transfers.quiet_for(job.id) < wait:
                return False
            images, known = self._spool.image_names(job.id), self._queue.measured_images(job.id)
            if images <= known and job.maker == self._measurer.maker:
                self._nothing_new(job)
            elif broken:
                why = f"{lost} images could not be kept" if lost else "its transfer broke off"
                self._refuse(job, Objection(f"it is incomplete: {why} and did not come again", incomplete=True))
            elif known - images:
                why = "only part of it came, and the rest had been dropped before; send it whole"
                self._refuse(job, Objection(f"it is incomplete: {why}", incomplete=True))
            elif self._queue.wait_for_measuring(job.id, self._clock()):
                self._spool.drop_results(job.id)
                LOG.info("job %d: finished with %d images", job.id, len(images))
            self._transfers.forget(job.id)
            return True

    def _still_coming(self, job: Job) -> bool:
        return self._transfers.is_open(job.id) or self._transfers.quiet_for(job.id) < self._rules.quiet_seconds

    def _nothing_new(self, job: Job) -> None:
        state = self._queue.as_before(job, self._clock())
        LOG.info("job %d: nothing new came; it is %s", job.id, state)
        if state in (SENT, REFUSED):
            self._drop_images(job, state)

    # --- waiting -> measuring -> sending

    def measure_next(self, stop: threading.Event) -> bool:
        """Measure one series; True if one was due."""
        if self._queue.all(MEASURING):
            self._queue.restart()  # the step before could not even write down how it ended
        job = self._queue.claim(self._clock())
        if job is None:
            return False
        if job.attempts > STARTS:
            self._queue.fail(job, "measuring was begun again and again and never ended", self._clock())
            LOG.error("job %d: failed, it was begun %d times and never ended; its images are kept", job.id, STARTS)
            return True
        try:
            self._measure(job, stop)
        except Stopped:
            self._queue.unclaim(job, 0, attempted=False)
        except MeasuringFailed as error:
            self._measuring_failed(job, str(error))
        except OSError as error:  # the disk's or the machine's fault, not the case's
            self._queue.unclaim(job, self._clock() + DISK_SECONDS, attempted=False)
            why = error.strerror or type(error).__name__
            LOG.error("job %d: not measured, the system says: %s; again in %.0f s", job.id, why, DISK_SECONDS)
        except Exception as error:
            self._measuring_failed(job, f"the listener met an error ({type(error).__name__})")
        return True

    def _measure(self, job: Job, stop: threading.Event) -> None:
        images = self._spool.image_names(job.id)
        reason = objection(self._spool.images(job.id))
        if reason:
            self._refuse(job, reason, images)
            return
        out = self._spool.new_work(job.id)
        started = self._clock()
        try:
            outcome = self._measurer.measure(self._spool.images(job.id), out, stop)
            self._conclude(job, outcome, images, self._clock() - started)
        finally:
            self._spool.clear_work(out)

    def _conclude(self, job: Job, outcome: Outcome, images: frozenset[str], seconds: float) -> None:
        if outcome.refused and not (self._rules.send_refusals and outcome.files):
            self._refuse(job, Objection(outcome.refused), images)
            return
        if not outcome.files or not all(map(look_at, outcome.files)):
            raise MeasuringFailed("measuring wrote no whole DICOM objects")
        with self._queue.lock:
            current = self._queue.job(job.id)
            if current is None or current.revision != job.revision:
                LOG.info("job %d: more images came while it was measured; it is measured again", job.id)
                return
            self._spool.keep_results(job.id, list(outcome.files))
            self._queue.results_ready(job, images, self._measurer.maker, outcome.refused, self._clock())
        what = f"refused ({outcome.refused})" if outcome.refused else "measured"
        LOG.info("job %d: %s in %.0f s, %d objects to send", job.id, what, seconds, len(outcome.files))

    def _measuring_failed(self, job: Job, sentence: str) -> None:
        if job.attempts >= MEASURING_ATTEMPTS:
            if self._queue.fail(job, sentence, self._clock()):
                LOG.error("job %d: failed, %s (try %d, the last); its images are kept", job.id, sentence, job.attempts)
            return
        wait = self._backoff.after(job.attempts)
        if self._queue.unclaim(job, self._clock() + wait, attempted=True):
            LOG.warning("job %d: %s (try %d); again in %.0f s", job.id, sentence, job.attempts, wait)

    # --- sending -> sent

    def send_next(self) -> bool:
        """Send the results of one job; True if one was due."""
        if self._clock() < self._silent_until:
            return False
        job = self._queue.next(SENDING, self._clock())
        if job is None:
            return False
        results, done = self._spool.results(job.id), self._queue.sent_files(job.id)
        if not results:
            self._queue.fail(job, "its results are no longer whole in the spool", self._clock())
            LOG.error("job %d: failed, its results are no longer whole in the spool", job.id)
            return True
        try:
            for file in self._sender.send([file for file in results if file.path.name not in done]):
                self._queue.file_sent(job, file.path.name)
        except Unreachable as error:
            self._silences += 1
            wait = self._backoff.after(self._silences)
            self._silent_until = self._clock() + wait
            LOG.warning("job %d: not sent, %s Again in %.0f s", job.id, error, wait)
            return True
        except Rejected as error:
            self._silences = 0
            self._sending_refused(job, str(error))
            return True
        except Exception as error:  # what a library makes of a strange answer must not hold up the other jobs
            self._sending_refused(job, f"sending it met an error ({type(error).__name__}).")
            return True
        self._silences = 0
        with self._queue.lock:
            if self._queue.sent(job, self._clock()):
                LOG.info("job %d: sent", job.id)
                self._drop(job)
        return True

    def _sending_refused(self, job: Job, sentence: str) -> None:
        tries = job.attempts + 1
        if tries >= SENDING_ATTEMPTS:
            if self._queue.fail(job, sentence, self._clock()):
                LOG.error("job %d: failed, %s Try %d was the last; its results are kept", job.id, sentence, tries)
            return
        wait = self._backoff.after(tries)
        self._queue.postpone(job, self._clock() + wait)
        LOG.warning("job %d: not sent, %s Try %d; again in %.0f s", job.id, sentence, tries, wait)

    # --- refused, dropped

    def _refuse(self, job: Job, why: Objection, images: frozenset[str] | None = None) -> bool:
        """Settle a job as refused; incomplete ones are not remembered as refused for these images."""
        with self._queue.lock:
            if why.incomplete:
                images = None
            if not self._queue.refuse(job, why.sentence, self._clock(), images, self._measurer.maker):
                return False
            LOG.warning("job %d: refused, %s", job.id, why.sentence)
            self._transfers.forget(job.id)
            self._spool.drop_results(job.id)
            if not why.incomplete:
                self._drop_images(job, REFUSED)
            return True

    def _drop_images(self, job: Job, state: str) -> None:
        if state == SENT or not self._rules.keep_refused:
            self._spool.drop_images(job.id)

    def _drop(self, job: Job) -> None:
        self._spool.drop_images(job.id)
        self._spool.drop_results(job.id)

    def drop_old(self) -> None:
        """Images kept long enough go; jobs finished long ago are forgotten. Failed ones stay until somebody decides."""
        now = self._clock()
        with self._queue.lock:
            for job in self._queue.all(SENT, REFUSED):
                age = now - job.changed
                if age > self._rules.keep_days * DAY:
                    # What comes later is not complete without these.
                    self._queue.know_images(job.id, self._spool.image_names(job.id))
                    self._drop(job)
                if age > REMEMBER_DAYS * DAY:
                    self._queue.forget(job.id)

    def counts(self) -> str:
        """What waits, for the log: how many jobs in each state."""
        states = [job.state for job in self._queue.all()]
        return ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(sorted(states))) or "empty"
