"""The listener's folder: received images, results to send, and room for work in progress.

``images/<job>/`` one file an image, ``results/<job>/`` what is to be sent, ``work/`` unfinished results (void after a
restart), ``queue.sqlite`` the state of every job. Only its owner may read it: it holds patients' images.
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
from MidlineShiftLogic.pacs.files import PART, Stored, look_at, sync_folder, write_whole

RECOUNT_SECONDS = 60.0


class SpoolFull(Exception):
    """A limit was reached; the sentence is for the log."""


class Spool:
    """Files of the spool. Not aware of the queue: who calls it keeps both in step (``queue.Queue.lock``).

    Args:
        root: made if it does not exist.
        max_bytes: of images and results together.
        min_free_bytes: left free on the disk for everybody else, and for the queue itself.

    Raises:
        InputError: it cannot be made or written.
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
        return self.root / "queue.sqlite"

    def hold(self) -> sqlite3.Connection:
        """Claim the spool for this process until the connection is closed or the process ends, however it ends.

        Raises:
            InputError: another listener works on it.
        """
        connection = sqlite3.connect(self.root / "lock.sqlite", timeout=0.5, check_same_thread=False)
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            connection.close()
            raise InputError(f"The spool {self.root} is in use by another listener; stop it first.", "spool") from error
        return connection

    def clear_leavings(self) -> None:
        """Remove what a killed listener had not finished writing."""
        for entry in self._work.iterdir():
            shutil.rmtree(entry, ignore_errors=True)
        for part in self._images.glob(f"*/*{PART}"):
            part.unlink(missing_ok=True)

    def jobs_with_files(self) -> set[int]:
        """Numbers of the jobs that have images or results here."""
        names = [entry.name for folder in (self._images, self._results) for entry in folder.iterdir()]
        return {int(name.removeprefix("series-")) for name in names if name.removeprefix("series-").isdigit()}

    # --- images

    def images(self, job: int) -> Path:
        return self._images / f"series-{job}"

    def image_names(self, job: int) -> frozenset[str]:
        folder = self.images(job)
        return frozenset(entry.name for entry in folder.glob("*.dcm")) if folder.is_dir() else frozenset()

    def count_images(self, job: int) -> int:
        folder = self.images(job)
        return sum(1 for _ in os.scandir(folder)) if folder.is_dir() else 0

    def has_image(self, job: int, name: str) -> bool:
        return (self.images(job) / name).is_file()

    def check_room(self, size: int) -> None:
        """Raise SpoolFull where so many more bytes would pass a limit."""
        if self._used_bytes() + size > self._max_bytes:
            raise SpoolFull("the spool has reached its size limit (--max-spool-gb)")
        if shutil.disk_usage(self.root).free - size < self._min_free_bytes:
            raise SpoolFull("the disk has too little free space (--min-free-gb)")

    def put_image(self, job: int, name: str, content: bytes) -> None:
        """Keep one image; it is on the disk when this returns.

        Raises:
            OSError: it cannot be written; nothing is left of it.
        """
        folder = self.images(job)
        if not folder.is_dir():
            folder.mkdir(mode=0o700)
            sync_folder(self._images)
        write_whole(folder / name, content)
        with self._lock:
            self._used += len(content)

    def drop_images(self, job: int) -> None:
        shutil.rmtree(self.images(job), ignore_errors=True)
        self._recount_soon()

    # --- results

    def new_work(self, job: int) -> Path:
        """An empty folder of its own for one attempt: what a killed one still writes is nobody's."""
        return Path(tempfile.mkdtemp(prefix=f"series-{job}.", dir=self._work))

    def clear_work(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)

    def keep_results(self, job: int, files: list[Path]) -> None:
        """Make files, in this order, the results of a job in place of earlier ones.

        Raises:
            OSError: they cannot be moved; the earlier ones are gone, which is safe before they are announced.
        """
        whole = Path(tempfile.mkdtemp(prefix=f"series-{job}.", dir=self._work))
        for number, file in enumerate(files):
            target = whole / f"{number:04d}.dcm"
            os.replace(file, target)
            with target.open("rb+") as stream:
                os.fsync(stream.fileno())
        sync_folder(whole)
        self.drop_results(job)
        os.replace(whole, self._results / f"series-{job}")
        sync_folder(self._results)
        self._recount_soon()

    def results(self, job: int) -> list[Stored]:
        """What is to be sent, in order; nothing at all where any of it cannot be read."""
        found = [look_at(path) for path in sorted((self._results / f"series-{job}").glob("*.dcm"))]
        return found if all(found) else []

    def drop_results(self, job: int) -> None:
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
