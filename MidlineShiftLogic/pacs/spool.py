"""The listener's folder: received images, results to send, and room for work in progress.

``images/<job>/`` has one file for each image, ``results/<job>/`` the objects to send, ``work/`` unfinished results (void
after a restart), ``queue.sqlite`` the state of every job. Only its owner may read it: it holds patients' images.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import threading
import time
from pathlib import Path

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.pacs.dicom_files import PART, DicomFile, read_meta, sync_folder, write_atomically

RECOUNT_SECONDS = 60.0


class SpoolFull(Exception):
    """A limit was reached; the message is for the log."""


class Spool:
    """Files of the spool. It does not know the queue: callers keep both consistent (``queue.Queue.lock``).

    Args:
        root: created if it does not exist.
        max_bytes: of images and results together.
        min_free_bytes: to leave free on the disk for other programs, and for the queue itself.

    Raises:
        InputError: it cannot be created or written.
    """

    def __init__(self, root: Path, max_bytes: int = 20_000_000_000, min_free_bytes: int = 1_000_000_000):
        self.root = root
        self._images, self._results, self._work = root / "images", root / "results", root / "work"
        self._max_bytes, self._min_free_bytes = max_bytes, min_free_bytes
        self._lock = threading.Lock()
        self._used, self._counted = 0, float("-inf")
        try:
            for folder in (root, self._images, self._results, self._work):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            root.chmod(0o700)
        except OSError as error:
            raise InputError(
                f"The spool {root} cannot be written: {error.strerror or error}; choose another --spool.", "spool"
            ) from error

    @property
    def database(self) -> Path:
        """Return the file of the queue."""
        return self.root / "queue.sqlite"

    def claim(self) -> sqlite3.Connection:
        """Claim the spool for this process until the connection is closed or the process ends in any way.

        Raises:
            InputError: another listener uses it.
        """
        connection = sqlite3.connect(self.root / "lock.sqlite", timeout=0.5, check_same_thread=False)
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            connection.close()
            raise InputError(f"The spool {self.root} is in use by another listener; stop it first.", "spool") from error
        return connection

    def remove_stale(self) -> None:
        """Remove files that a killed listener did not finish."""
        for entry in self._work.iterdir():
            shutil.rmtree(entry, ignore_errors=True)
        for part in self._images.glob(f"*/*{PART}"):
            part.unlink(missing_ok=True)

    def jobs_with_files(self) -> set[int]:
        """Return the numbers of the jobs that have images or results here."""
        names = [entry.name for folder in (self._images, self._results) for entry in folder.iterdir()]
        return {int(name.removeprefix("series-")) for name in names if name.removeprefix("series-").isdigit()}

    # --- images

    def images(self, job: int) -> Path:
        """Return the folder of a job's images, which may not exist."""
        return self._images / f"series-{job}"

    def image_names(self, job: int) -> frozenset[str]:
        """Return the file names of a job's images."""
        folder = self.images(job)
        return frozenset(entry.name for entry in folder.glob("*.dcm")) if folder.is_dir() else frozenset()

    def count_images(self, job: int) -> int:
        """Count a job's images."""
        folder = self.images(job)
        return sum(1 for _ in os.scandir(folder)) if folder.is_dir() else 0

    def has_image(self, job: int, name: str) -> bool:
        """Return whether an image of this file name was kept."""
        return (self.images(job) / name).is_file()

    def check_room(self, size: int) -> None:
        """Raise SpoolFull where ``size`` more bytes would exceed a limit."""
        if self._used_bytes() + size > self._max_bytes:
            raise SpoolFull("the spool has reached its size limit (--max-spool-gb)")
        if shutil.disk_usage(self.root).free - size < self._min_free_bytes:
            raise SpoolFull("the disk has too little free space (--min-free-gb)")

    def put_image(self, job: int, name: str, content: bytes) -> None:
        """Write one image; it is on the disk when this returns.

        Raises:
            OSError: it cannot be written; no partial file is left.
        """
        folder = self.images(job)
        if not folder.is_dir():
            folder.mkdir(mode=0o700)
            sync_folder(self._images)
        write_atomically(folder / name, content)
        with self._lock:
            self._used += len(content)

    def drop_images(self, job: int) -> None:
        """Delete a job's images."""
        shutil.rmtree(self.images(job), ignore_errors=True)
        self._recount_soon()

    # --- results

    def new_work(self, job: int) -> Path:
        """Create an empty folder for one attempt; a killed attempt cannot write into the next one's folder."""
        return Path(tempfile.mkdtemp(prefix=f"series-{job}.", dir=self._work))

    def clear_work(self, folder: Path) -> None:
        """Delete the folder of an attempt."""
        shutil.rmtree(folder, ignore_errors=True)

    def keep_results(self, job: int, files: list[Path]) -> None:
        """Move files, in this order, into the results of a job in place of earlier ones.

        Raises:
            OSError: they cannot be moved; the earlier ones are lost, which is safe before the queue records them.
        """
        whole = self.new_work(job)
        try:
            for number, file in enumerate(files):
                target = whole / f"{number:04d}.dcm"
                os.replace(file, target)
                with target.open("rb+") as stream:
                    os.fsync(stream.fileno())
            sync_folder(whole)
            self.drop_results(job)
            os.replace(whole, self._results / f"series-{job}")
        except BaseException:
            self.clear_work(whole)
            raise
        sync_folder(self._results)
        self._recount_soon()

    def results(self, job: int) -> list[DicomFile]:
        """Return the files to send, in order; an empty list where any of them cannot be read."""
        found = [read_meta(path) for path in sorted((self._results / f"series-{job}").glob("*.dcm"))]
        whole = [one for one in found if one is not None]
        return whole if len(whole) == len(found) else []

    def drop_results(self, job: int) -> None:
        """Delete a job's results."""
        shutil.rmtree(self._results / f"series-{job}", ignore_errors=True)
        self._recount_soon()

    # --- sizes

    def _recount_soon(self) -> None:
        with self._lock:
            self._counted = float("-inf")

    def _used_bytes(self) -> int:
        with self._lock:
            if time.monotonic() - self._counted > RECOUNT_SECONDS:
                self._used = sum(_size(path) for top in (self._images, self._results) for path in top.rglob("*.dcm"))
                self._counted = time.monotonic()
            return self._used


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # dropped meanwhile
