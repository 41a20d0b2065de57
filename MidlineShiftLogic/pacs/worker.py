"""The steps of the queue: finish, measure and send series; drop old images."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from MidlineShiftLogic.pacs.acceptance_rules import Objection, find_objection
from MidlineShiftLogic.pacs.dicom_files import read_meta
from MidlineShiftLogic.pacs.exchange import Sender
from MidlineShiftLogic.pacs.job import MEASURING, RECEIVING, REFUSED, SENDING, SENT, Backoff, Job
from MidlineShiftLogic.pacs.measuring import MeasurementFailed, Measurer, Outcome, Stopped
from MidlineShiftLogic.pacs.queue import Queue
from MidlineShiftLogic.pacs.spool import Spool
from MidlineShiftLogic.pacs.targets import Rejected, Unreachable
from MidlineShiftLogic.pacs.transfers import Transfers
from MidlineShiftLogic.text import counted

LOG = logging.getLogger("midlineshift.listen")
DAY_SECONDS, DISK_SECONDS = 86400.0, 60.0
REMEMBER_DAYS = 90.0
"""Finished jobs are deleted after this time; the same series sent later is measured again."""
MAX_MEASURING_ATTEMPTS, MAX_STARTS, MAX_SENDING_ATTEMPTS = 3, 6, 5
"""Attempts for a series that crashes the measuring, for one that ends the whole listener, and for results that the PACS
refuses. A PACS that does not answer is retried without limit."""


@dataclass(frozen=True)
class Rules:
    """The settings by which the listener decides.

    Attributes:
        quiet_seconds: time without a new image after which a series is finished.
        give_up_seconds: time without a new image after which an aborted or incomplete transfer is refused.
        keep_days: how long images of incomplete series (and with ``keep_refused`` of all refused ones) are kept.
        send_refusals: whether the report of a scan that was loaded but refused is sent too.
    """

    quiet_seconds: float = 30.0
    give_up_seconds: float = 1800.0
    keep_days: float = 7.0
    keep_refused: bool = False
    send_refusals: bool = False


class Worker:
    """The steps of the queue; each method does one step that is due and returns whether there was one."""

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
        self._unreachable_count, self._pause_until = 0, 0.0

    def recover(self) -> None:
        """Repair the state after a kill; called once before everything else."""
        self._spool.remove_stale()
        again = self._queue.restart()
        if again:
            LOG.info("%d unfinished measurements begin again", again)
        jobs = {job.id: job for job in self._queue.all()}
        for id in self._spool.jobs_with_files():
            job = jobs.get(id)
            if job is None:
                LOG.warning("job %d: the spool holds files of it but the queue does not know it; they are kept", id)
            elif job.state == SENT or (job.state, job.settled, self._rules.keep_refused) == (REFUSED, REFUSED, False):
                self._drop(job)

    # --- receiving -> waiting

    def finish_series(self) -> bool:
        """Finish every series that is due; True if there was one."""
        return sum(self._finish(job) for job in self._queue.all(RECEIVING)) > 0

    def _finish(self, job: Job) -> bool:
        if self._still_coming(job):
            return False
        with self._queue.lock:  # an image arrives before or after all of this
            now = self._queue.job(job.id)
            if now is None:
                return False
            job = now
            lost = self._queue.lost_images(job.id)
            broken = job.in_transfer or lost > 0
            wait = self._rules.give_up_seconds if broken else 0.0
            if job.state != RECEIVING or self._still_coming(job) or self._transfers.quiet_for(job.id) < wait:
                return False
            images, known = self._spool.image_names(job.id), self._queue.measured_images(job.id)
            if images <= known and job.measured_with == self._measurer.version:
                self._settle_unchanged(job)
            elif broken:
                why = f"{counted(lost, 'image')} could not be stored" if lost else "its transfer was aborted"
                self._refuse(job, Objection(f"it is incomplete: {why}, and the rest did not arrive", incomplete=True))
            elif known - images:
                why = "only part of it arrived, and the rest was dropped before; send the whole series"
                self._refuse(job, Objection(f"it is incomplete: {why}", incomplete=True))
            elif self._queue.schedule_measuring(job.id, self._clock()):
                self._spool.drop_results(job.id)
                LOG.info("job %d: finished with %s", job.id, counted(len(images), "image"))
            self._transfers.forget(job.id)
            return True

    def _still_coming(self, job: Job) -> bool:
        return self._transfers.is_open(job.id) or self._transfers.quiet_for(job.id) < self._rules.quiet_seconds

    def _settle_unchanged(self, job: Job) -> None:
        state = self._queue.restore(job, self._clock())
        LOG.info("job %d: no new images; it is %s", job.id, state)
        if state in (SENT, REFUSED):
            self._drop_images(job, state)

    # --- waiting -> measuring -> sending

    def measure_next(self, stop: threading.Event) -> bool:
        """Measure one series; True if one was due."""
        if self._queue.all(MEASURING):
            self._queue.restart()  # the step before could not record its outcome
        job = self._queue.claim(self._clock())
        if job is None:
            return False
        if job.attempts > MAX_STARTS:
            self._queue.fail(job, "measuring was started repeatedly and never ended", self._clock())
            LOG.error(
                "job %d: failed, it was started %d times and never ended; its images are kept", job.id, MAX_STARTS
            )
            return True
        try:
            self._measure(job, stop)
        except Stopped:
            self._queue.unclaim(job, 0, attempted=False)
        except MeasurementFailed as error:
            self._measuring_failed(job, str(error))
        except OSError as error:  # an error of the disk or the system, not of the case
            self._queue.unclaim(job, self._clock() + DISK_SECONDS, attempted=False)
            why = error.strerror or type(error).__name__
            LOG.error("job %d: not measured (%s); retry in %.0f s", job.id, why, DISK_SECONDS)
        except Exception as error:
            self._measuring_failed(job, f"internal error of the listener ({type(error).__name__})")
        return True

    def _measure(self, job: Job, stop: threading.Event) -> None:
        images = self._spool.image_names(job.id)
        reason = find_objection(self._spool.images(job.id))
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
        if not outcome.files or not all(map(read_meta, outcome.files)):
            raise MeasurementFailed("measuring wrote no complete DICOM objects")
        with self._queue.lock:
            current = self._queue.job(job.id)
            if current is None or current.revision != job.revision:
                LOG.info("job %d: more images arrived during measuring; it is measured again", job.id)
                return
            self._spool.keep_results(job.id, list(outcome.files))
            self._queue.results_ready(job, images, self._measurer.version, outcome.refused, self._clock())
        what = f"refused ({outcome.refused})" if outcome.refused else "measured"
        LOG.info("job %d: %s in %.0f s, %d objects to send", job.id, what, seconds, len(outcome.files))

    def _measuring_failed(self, job: Job, sentence: str) -> None:
        if job.attempts >= MAX_MEASURING_ATTEMPTS:
            if self._queue.fail(job, sentence, self._clock()):
                LOG.error(
                    "job %d: failed, %s (attempt %d, the last); its images are kept", job.id, sentence, job.attempts
                )
            return
        wait = self._backoff.after(job.attempts)
        if self._queue.unclaim(job, self._clock() + wait, attempted=True):
            LOG.warning("job %d: %s (attempt %d); retry in %.0f s", job.id, sentence, job.attempts, wait)

    # --- sending -> sent

    def send_next(self) -> bool:
        """Send the results of one job; True if one was due."""
        if self._clock() < self._pause_until:
            return False
        job = self._queue.next(SENDING, self._clock())
        if job is None:
            return False
        results, done = self._spool.results(job.id), self._queue.sent_files(job.id)
        if not results:
            self._queue.fail(job, "its results in the spool are incomplete", self._clock())
            LOG.error("job %d: failed, its results in the spool are incomplete", job.id)
            return True
        try:
            for file in self._sender.send([file for file in results if file.path.name not in done]):
                self._queue.file_sent(job, file.path.name)
        except Unreachable as error:
            self._unreachable_count += 1
            wait = self._backoff.after(self._unreachable_count)
            self._pause_until = self._clock() + wait
            LOG.warning("job %d: not sent, %s Retry in %.0f s", job.id, error, wait)
            return True
        except Rejected as error:
            self._unreachable_count = 0
            self._sending_refused(job, str(error))
            return True
        except Exception as error:  # an unexpected answer must not block the other jobs
            self._sending_refused(job, f"sending ended with an error ({type(error).__name__}).")
            return True
        self._unreachable_count = 0
        with self._queue.lock:
            if self._queue.sent(job, self._clock()):
                LOG.info("job %d: sent", job.id)
                self._drop(job)
        return True

    def _sending_refused(self, job: Job, sentence: str) -> None:
        tries = job.attempts + 1
        if tries >= MAX_SENDING_ATTEMPTS:
            if self._queue.fail(job, sentence, self._clock()):
                LOG.error("job %d: failed, %s Attempt %d was the last; its results are kept", job.id, sentence, tries)
            return
        wait = self._backoff.after(tries)
        self._queue.postpone(job, self._clock() + wait)
        LOG.warning("job %d: not sent, %s Attempt %d; retry in %.0f s", job.id, sentence, tries, wait)

    # --- refused, dropped

    def _refuse(self, job: Job, why: Objection, images: frozenset[str] | None = None) -> bool:
        """Record a refusal; the images of incomplete series are not recorded, since the rest may arrive."""
        with self._queue.lock:
            if why.incomplete:
                images = None
            if not self._queue.refuse(job, why.sentence, self._clock(), images, self._measurer.version):
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
        """Drop images after ``keep_days`` and old finished jobs; failed jobs are kept until a person decides."""
        now = self._clock()
        with self._queue.lock:
            for job in self._queue.all(SENT, REFUSED):
                age = now - job.changed
                if age > self._rules.keep_days * DAY_SECONDS:
                    # A later transfer is incomplete without these images.
                    self._queue.remember_images(job.id, self._spool.image_names(job.id))
                    self._drop(job)
                if age > REMEMBER_DAYS * DAY_SECONDS:
                    self._queue.forget(job.id)

    def counts(self) -> str:
        """Return the number of jobs in each state, for the log."""
        states = [job.state for job in self._queue.all()]
        return ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(sorted(states))) or "empty"
