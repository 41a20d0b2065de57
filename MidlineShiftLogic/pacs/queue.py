"""The listener's queue: one row for each series in SQLite, every change durable before it is reported.

::

    receiving --finish--> waiting --claim--> measuring --results--> sending --done--> sent
        ^                    |  ^               | |                    |
        |                    |  +---crash-------+ +--refused--> refused+--refused by the PACS--> failed
        +--- a new image of the series, from any state ---------------------------------------------+

A row has a *revision*, which increases when an image arrives after the series was finished. Results of an older revision
are void.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable
from pathlib import Path

from MidlineShiftLogic.pacs.job import FAILED, MEASURING, RECEIVING, REFUSED, SENDING, SENT, WAITING, Job
from MidlineShiftLogic.text import clean_text

SCHEMA = """
CREATE TABLE IF NOT EXISTS job (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    series TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    revision INTEGER NOT NULL DEFAULT 0,
    in_transfer INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    due REAL NOT NULL DEFAULT 0,
    changed REAL NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    settled TEXT NOT NULL DEFAULT '',
    maker TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS job_by_state ON job (state, due);
CREATE TABLE IF NOT EXISTS lost_image (job INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (job, name));
CREATE TABLE IF NOT EXISTS measured_image (job INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (job, name));
CREATE TABLE IF NOT EXISTS sent_file (job INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (job, name));
"""


class Queue:
    """The rows. Any thread may call it; callers hold ``lock`` to change rows and files together."""

    def __init__(self, database: Path):
        self.lock = threading.RLock()
        self._connection = sqlite3.connect(database, timeout=30, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.executescript(SCHEMA)

    def close(self) -> None:
        """Close the database; other connections keep it."""
        with self.lock:
            self._connection.close()

    # --- queries

    def job(self, id: int) -> Job | None:
        """Return a job by its number, or None."""
        return self._one("SELECT * FROM job WHERE id=?", id)

    def find_by_series(self, series: str) -> Job | None:
        """Return the job of a Series Instance UID, or None."""
        return self._one("SELECT * FROM job WHERE series=?", series)

    def all(self, *states: str) -> list[Job]:
        """Return the jobs in these states (all jobs where none is given), oldest first."""
        marks = ",".join("?" * len(states))
        return self._many(f"SELECT * FROM job {f'WHERE state IN ({marks})' if states else ''} ORDER BY id", *states)

    def next(self, state: str, now: float) -> Job | None:
        """Return the job in this state that has been due longest, or None."""
        return self._one("SELECT * FROM job WHERE state=? AND due<=? ORDER BY due, changed, id LIMIT 1", state, now)

    def lost_images(self, id: int) -> int:
        """Count the images that were answered with a failure and were not sent again."""
        return self._rows("SELECT count(*) FROM lost_image WHERE job=?", id)[0][0]

    def measured_images(self, id: int) -> frozenset[str]:
        """Return the images of the last measurement or refusal, and those that were dropped."""
        return frozenset(row[0] for row in self._rows("SELECT name FROM measured_image WHERE job=?", id))

    def sent_files(self, id: int) -> frozenset[str]:
        """Return the names of the results that the PACS has confirmed."""
        return frozenset(row[0] for row in self._rows("SELECT name FROM sent_file WHERE job=?", id))

    # --- receiving

    def begin_image(self, series: str, now: float) -> Job:
        """Put a series into the state ``receiving`` before an image of it is written."""
        with self._changing():
            job = self.find_by_series(series)
            if job is None:
                self._run(
                    "INSERT INTO job (series, state, in_transfer, changed) VALUES (?, ?, 1, ?)", series, RECEIVING, now
                )
            elif job.state != RECEIVING:
                self._run(
                    "UPDATE job SET state=?, in_transfer=1, revision=revision+1, attempts=0, due=0, changed=?, reason=''"
                    " WHERE id=?",
                    RECEIVING, now, job.id,
                )  # fmt: skip
            elif job.in_transfer:
                return job  # nothing to write: the usual case
            else:
                self._run("UPDATE job SET in_transfer=1 WHERE id=?", job.id)
            found = self.find_by_series(series)
            assert found is not None, "the row was written above"
            return found

    def image_kept(self, id: int, name: str) -> None:
        """Record that an image was written, and take back that it was lost."""
        self._run("DELETE FROM lost_image WHERE job=? AND name=?", id, name)

    def image_lost(self, id: int, name: str) -> None:
        """Record that an image was answered with a failure."""
        self._run("INSERT OR IGNORE INTO lost_image VALUES (?, ?)", id, name)

    def transfer_ended(self, ids: Iterable[int]) -> None:
        """Record that the associations that sent these series were released."""
        for id in ids:
            self._run("UPDATE job SET in_transfer=0 WHERE id=?", id)

    # --- measuring

    def schedule_measuring(self, id: int, now: float) -> bool:
        """Schedule a finished series for measuring; False where an image arrived meanwhile."""
        return self._moved(
            "UPDATE job SET state=?, attempts=0, due=0, changed=? WHERE id=? AND state=? AND in_transfer=0",
            WAITING, now, id, RECEIVING,
        )  # fmt: skip

    def claim(self, now: float) -> Job | None:
        """Take the next series to measure: its state becomes ``measuring`` and its attempts increase."""
        with self._changing():
            job = self.next(WAITING, now)
            if job is None:
                return None
            self._run("UPDATE job SET state=?, attempts=attempts+1, changed=? WHERE id=?", MEASURING, now, job.id)
            return self.job(job.id)

    def unclaim(self, job: Job, due: float, attempted: bool) -> bool:
        """Put a job back to ``waiting``; an attempt that the listener cancelled does not count."""
        return self._moved(
            "UPDATE job SET state=?, due=?, attempts=attempts-? WHERE id=? AND state=? AND revision=?",
            WAITING, due, 0 if attempted else 1, job.id, MEASURING, job.revision,
        )  # fmt: skip

    def results_ready(self, job: Job, images: Iterable[str], measured_with: str, reason: str, now: float) -> bool:
        """Record that results are in the spool; False where the measured revision is void."""
        with self._changing():
            if not self._moved(
                "UPDATE job SET state=?, attempts=0, due=0, changed=?, maker=?, settled='', reason=?"
                " WHERE id=? AND state=? AND revision=?",
                SENDING, now, measured_with, clean_text(reason), job.id, MEASURING, job.revision,
            ):  # fmt: skip
                return False
            self._run("DELETE FROM sent_file WHERE job=?", job.id)
            self._remember(job.id, images)
            return True

    def refuse(
        self, job: Job, reason: str, now: float, images: Iterable[str] | None = None, measured_with: str = ""
    ) -> bool:
        """Record a refusal.

        Args:
            images: the images that were refused, if the same images would be refused again; None keeps the record of
                earlier revisions.
        """
        with self._changing():
            if not self._moved(
                "UPDATE job SET state=?, in_transfer=0, changed=?, reason=? WHERE id=? AND state=? AND revision=?",
                REFUSED, now, clean_text(reason), job.id, job.state, job.revision,
            ):  # fmt: skip
                return False
            self._run("DELETE FROM lost_image WHERE job=?", job.id)
            if images is not None:
                self._run("UPDATE job SET settled=?, maker=? WHERE id=?", REFUSED, measured_with, job.id)
                self._remember(job.id, images)
            return True

    def fail(self, job: Job, reason: str, now: float) -> bool:
        """Give a job up for this reason; False if it changed meanwhile."""
        return self._moved(
            "UPDATE job SET state=?, changed=?, reason=? WHERE id=? AND state=? AND revision=?",
            FAILED, now, clean_text(reason), job.id, job.state, job.revision,
        )  # fmt: skip

    def restore(self, job: Job, now: float) -> str:
        """Return a job without new images to its earlier outcome, or to ``sending``; returns the new state."""
        state = job.settled or SENDING
        with self._changing():
            self._run("DELETE FROM lost_image WHERE job=?", job.id)
            moved = self._moved(
                "UPDATE job SET state=?, in_transfer=0, attempts=0, due=0, changed=? WHERE id=? AND state=? AND revision=?",
                state, now, job.id, RECEIVING, job.revision,
            )  # fmt: skip
        return state if moved else RECEIVING

    # --- sending

    def file_sent(self, job: Job, name: str) -> None:
        """Record that the PACS has confirmed one result, unless new images came meanwhile."""
        with self._changing():
            current = self.job(job.id)
            if current and current.revision == job.revision:
                self._run("INSERT OR IGNORE INTO sent_file VALUES (?, ?)", job.id, name)

    def postpone(self, job: Job, due: float) -> None:
        """Record a failed attempt to send; the next one is not before ``due``."""
        self._moved(
            "UPDATE job SET attempts=attempts+1, due=? WHERE id=? AND state=? AND revision=?",
            due, job.id, SENDING, job.revision,
        )  # fmt: skip

    def sent(self, job: Job, now: float) -> bool:
        """Record that all results of a job were sent; False if it changed meanwhile."""
        return self._moved(
            "UPDATE job SET state=?, settled=?, changed=? WHERE id=? AND state=? AND revision=?",
            SENT, SENT, now, job.id, SENDING, job.revision,
        )  # fmt: skip

    # --- housekeeping

    def restart(self) -> int:
        """Put jobs whose measuring was interrupted back to ``waiting``; returns their number."""
        return self._run("UPDATE job SET state=? WHERE state=?", WAITING, MEASURING).rowcount

    def retry(self, id: int, has_results: bool, now: float) -> bool:
        """Retry a failed job; False if it is not failed."""
        return self._moved(
            "UPDATE job SET state=?, attempts=0, due=0, changed=?, reason='' WHERE id=? AND state=?",
            SENDING if has_results else WAITING, now, id, FAILED,
        )  # fmt: skip

    def remember_images(self, id: int, names: Iterable[str]) -> None:
        """Remember the names of images that are about to be dropped."""
        with self._changing():
            self._remember(id, self.measured_images(id) | set(names))

    def forget(self, id: int) -> None:
        """Delete a job and all that is known of it."""
        with self._changing():
            self._run("DELETE FROM job WHERE id=?", id)
            for table in ("lost_image", "measured_image", "sent_file"):
                self._run(f"DELETE FROM {table} WHERE job=?", id)

    # --- SQL

    def _remember(self, id: int, images: Iterable[str]) -> None:
        self._run("DELETE FROM measured_image WHERE job=?", id)
        with self.lock:
            self._connection.executemany("INSERT INTO measured_image VALUES (?, ?)", [(id, name) for name in images])

    def _changing(self):
        return _Transaction(self._connection, self.lock)

    def _run(self, sql: str, *values) -> sqlite3.Cursor:
        with self.lock:
            return self._connection.execute(sql, values)

    def _moved(self, sql: str, *values) -> bool:
        return self._run(sql, *values).rowcount == 1

    def _rows(self, sql: str, *values) -> list[sqlite3.Row]:
        with self.lock:
            return self._connection.execute(sql, values).fetchall()

    def _many(self, sql: str, *values) -> list[Job]:
        return [_job(row) for row in self._rows(sql, *values)]

    def _one(self, sql: str, *values) -> Job | None:
        return next(iter(self._many(sql, *values)), None)


def _job(row: sqlite3.Row) -> Job:
    values = dict(row)
    return Job(measured_with=values.pop("maker"), in_transfer=bool(values.pop("in_transfer")), **values)


class _Transaction:
    """Several statements in one transaction, under the lock; an inner one is part of the outer."""

    def __init__(self, connection: sqlite3.Connection, lock: threading.RLock):
        self._connection, self._lock = connection, lock

    def __enter__(self) -> None:
        self._lock.acquire()
        self._outer = not self._connection.in_transaction
        try:
            if self._outer:
                self._connection.execute("BEGIN IMMEDIATE")
        except BaseException:
            self._lock.release()
            raise

    def __exit__(self, kind, error, traceback) -> None:
        try:
            if self._outer:
                self._connection.execute("COMMIT" if kind is None else "ROLLBACK")
        finally:
            self._lock.release()
