"""Load the listener as a hospital in trouble would: many senders at once, kills, a slow network, a full disk.

    python Testing/benchmarks/listener_load.py --studies 200 --senders 20 --out load.json

Senders repeat a study until each of its images was confirmed and the association was released: only then does a
listener know that the study is complete (docs/adr/0027). Meanwhile the listener and the PACS behind it are killed and
started again, one sender sends through a connection of a few kilobytes a second, and the listener's disk is full for a
while. At the end each series must have exactly one set of results in the PACS. Measuring is replaced by a stub that writes
three objects. For comparison the same senders send the same studies to Orthanc's own receiver. It needs Orthanc.
"""

from __future__ import annotations

import argparse
import json
import queue
import random
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "helpers"), str(HERE.parents[1])]

from orthanc_server import Orthanc  # noqa: E402
from pacs_case import ListenerProcess, head_series  # noqa: E402
from ports import free_port  # noqa: E402

from MidlineShiftLogic.pacs.dicom_files import find_dicom_files  # noqa: E402
from MidlineShiftLogic.pacs.dimse import _contexts as storage_contexts  # noqa: E402
from MidlineShiftLogic.pacs.dimse import application_entity, associate  # noqa: E402
from MidlineShiftLogic.pacs.targets import DicomTarget, PacsError  # noqa: E402

SLOW_BYTES_PER_SECOND = 40_000
SETTLE_SECONDS = 600
RESULTS = 3
"""Objects that the stub writes for each series."""


class SlowConnection:
    """A relay on loopback that forwards a limited number of bytes a second to a port."""

    def __init__(self, to: int):
        self._to, self._server = to, socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            one, _ = self._server.accept()
            try:
                other = socket.create_connection(("127.0.0.1", self._to), 5)
            except OSError:
                one.close()
                continue
            threading.Thread(target=self._forward, args=(one, other, SLOW_BYTES_PER_SECOND), daemon=True).start()
            threading.Thread(target=self._forward, args=(other, one, 10**9), daemon=True).start()

    @staticmethod
    def _forward(source: socket.socket, target: socket.socket, rate: int) -> None:
        try:
            while data := source.recv(4096):
                target.sendall(data)
                time.sleep(len(data) / rate)
        except OSError:
            pass
        for one in (source, target):
            one.close()


def send_all(studies: list[Path], senders: int, ports: list[int], called: str, seconds: float) -> dict:
    """Send every study by a number of threads, each again until it is confirmed; returns time and attempts."""
    waiting: queue.Queue[tuple[int, Path]] = queue.Queue()
    for number, study in enumerate(studies):
        waiting.put((number, study))
    attempts: Counter[int] = Counter()
    end = time.monotonic() + seconds

    def work(port: int) -> None:
        target = DicomTarget(called, "127.0.0.1", port)
        while time.monotonic() < end:
            try:
                number, study = waiting.get_nowait()
            except queue.Empty:
                return
            attempts[number] += 1
            try:
                send_study(study, target)
            except (PacsError, OSError, RuntimeError):
                time.sleep(random.random())
                waiting.put((number, study))

    began = time.monotonic()
    threads = [threading.Thread(target=work, args=(ports[number % len(ports)],)) for number in range(senders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {
        "seconds": round(time.monotonic() - began, 1),
        "attempts": sum(attempts.values()),
        "unsent": waiting.qsize(),
    }


def send_study(study: Path, target: DicomTarget) -> None:
    """Send a study by C-STORE; an association that did not end in order counts as a failure.

    Raises:
        PacsError: not everything was confirmed.
    """
    files = list(find_dicom_files([study]))
    association = associate(application_entity("SCANNER"), target, storage_contexts(files), None)
    try:
        for file in files:
            if association.send_c_store(file.path).get("Status") != 0:
                raise PacsError("an image was not stored")
        association.release()
    finally:
        if association.is_established:
            association.abort()
    if not association.is_released:
        raise PacsError("the association did not end in order")


class Trouble(threading.Thread):
    """Kill and start the listener and the PACS at random; fill the listener's disk once; note its largest memory."""

    def __init__(self, listener: ListenerProcess, pacs: Orthanc, every: float, seed: int):
        super().__init__(daemon=True)
        self._listener, self._pacs, self._every = listener, pacs, every
        self._chance, self.over = random.Random(seed), threading.Event()
        self.kills: Counter[str] = Counter()
        self.peak_bytes = 0

    def run(self) -> None:
        """Make trouble until ``over`` is set."""
        events = ["listener", "pacs", "full disk", "listener"]
        while not self.over.wait(self._every * (0.5 + self._chance.random())):
            self.note_memory()
            what = events.pop(0) if events else self._chance.choice(["listener", "pacs"])
            self.kills[what] += 1
            if what == "pacs":
                self._pacs.kill()
                time.sleep(2)
                self._pacs.start()
                continue
            self._listener.kill()
            if what == "full disk":
                options = self._listener._options
                self._listener._options = [*options, "--min-free-gb", "1000000"]
                self._listener.start()
                self.over.wait(self._every)
                self.note_memory()
                self._listener.kill()
                self._listener._options = options
            self._listener.start()

    def note_memory(self) -> None:
        """Read the listener's largest memory so far."""
        try:
            status = Path(f"/proc/{self._listener.process.pid}/status").read_text()
            peak = int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) * 1024
            self.peak_bytes = max(self.peak_bytes, peak)
        except (OSError, StopIteration):
            pass


def results_of(pacs: Orthanc) -> Counter[str]:
    """Number of result objects for each study in the PACS."""
    found: Counter[str] = Counter()
    for study in pacs.get("/studies"):
        about = pacs.get(f"/studies/{study}")
        count = sum(len(pacs.get(f"/series/{one}")["Instances"]) for one in about["Series"])
        found[about["MainDicomTags"]["StudyInstanceUID"]] += count
    return found


def main() -> int:
    """Run the load and print its figures; the exit code is 1 if anything was lost or came twice."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--senders", type=int, default=20)
    parser.add_argument("--images", type=int, default=8, help="of each study")
    parser.add_argument("--every", type=float, default=12.0, help="seconds between troubles")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=900.0, help="seconds for sending")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        first = head_series(folder / "first", slices=options.images)
        studies = [copy_study(first, folder / f"study{number}", number) for number in range(options.studies)]
        port = free_port()
        pacs = Orthanc(folder / "orthanc", {"midlineshift": ("MIDLINESHIFT", port), "scanner": ("SCANNER", 1)})
        pacs.start()
        listener = ListenerProcess(
            folder / "listener",
            pacs.target,
            port,
            "--give-up-minutes",
            "30",
            "--max-associations",
            "12",
            allow="SCANNER",
        )
        (folder / "listener").mkdir(exist_ok=True)
        listener.start()
        trouble = Trouble(listener, pacs, options.every, options.seed)
        trouble.start()
        ports = [port] * (options.senders - 1) + [SlowConnection(port).port]
        sent = send_all(studies, options.senders, ports, "MIDLINESHIFT", options.limit)
        trouble.over.set()
        trouble.join()
        print(f"sent: {sent}, troubles: {dict(trouble.kills)}", flush=True)
        end = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < end and len(results_of(pacs)) < options.studies - sent["unsent"]:
            time.sleep(1)
        time.sleep(3)
        trouble.note_memory()
        found = results_of(pacs)
        print(listener.queue().splitlines()[-1], flush=True)
        listener.end()
        pacs.stop()
        other = Orthanc(folder / "receiver", {"scanner": ("SCANNER", 1)})
        other.start()
        reference = send_all(studies, options.senders, [other.dicom_port], "ORTHANC", options.limit)
        other.stop()
    figures = {
        "studies": options.studies,
        "images": options.studies * options.images,
        "senders": options.senders,
        **sent,
        "troubles": dict(trouble.kills),
        "complete": sum(count == RESULTS for count in found.values()),
        "lost": options.studies - len(found),
        "twice": sum(count > RESULTS for count in found.values()),
        "listener_peak_mb": trouble.peak_bytes // 1_000_000,
        "orthanc_alone_seconds": reference["seconds"],
    }
    print(json.dumps(figures, indent=2))
    if options.out:
        options.out.write_text(json.dumps(figures, indent=2))
    return int(figures["complete"] != options.studies or figures["twice"] > 0)


def copy_study(first: Path, folder: Path, number: int) -> Path:
    """Copy a series as one of another study, by replacing identifiers of equal length."""
    folder.mkdir()
    old_series, old_study = b"1.2.826.0.1.3680043.8.498.77", b"1.2.826.0.1.3680043.8.498.70"
    for path in sorted(first.iterdir()):
        content = path.read_bytes()
        for old, kind in ((old_series, 7), (old_study, 5)):
            content = content.replace(old, b"1.2.826.0.1.3680043.9.%d%05d" % (kind, number))
        (folder / path.name).write_bytes(content)
    return folder


if __name__ == "__main__":
    sys.exit(main())
