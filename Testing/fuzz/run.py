"""Load thousands of mutated files, each format in a process of its own, and count what must never happen.

    python Testing/fuzz/run.py --minutes 2
    python Testing/fuzz/run.py --minutes 60 --seed random
    python Testing/fuzz/run.py --mutations 5000 --only nifti --only dicom --out figures.json

Counted are: crashes (the process dies), hangs (more than 10 s of processor time), memory (more than 2 GB),
tracebacks (any exception but ``InputError`` and ``RefusedError``), and silently wrong geometry: every fourth scan that is
loaded is compared with what another library reads (``independent_geometry.py``). A failing input is written to ``--keep``
and its seed, number and error are printed; the exit code is then 1. The inputs follow from seed and number: with the same
``--mutations`` every run of the same version is the same, while ``--minutes`` reach further on a quicker machine.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import resource
import shutil
import socket
import sys
import tempfile
import threading
import time
import traceback
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "helpers"), str(HERE.parents[1]), str(HERE.parents[1] / "training")]

from independent_geometry import differs  # noqa: E402
from mutations import mutate  # noqa: E402
from seeds import SPACING, write_seeds  # noqa: E402

CPU_SECONDS, WALL_SECONDS, MEMORY_BYTES = 10.0, 120.0, 2_000_000_000
CHECK_EVERY = 4
"""Every fourth loaded scan is checked and compared too; this takes longer than loading."""


GEOMETRY_CODES = {"no-orientation", "orientation-conflict", "spacing-conflict", "spacing", "head-shape", "head-size"}
"""Flags that tell the user to check the geometry: what another library makes of such a file may be something else."""


class SilentlyWrong(Exception):
    """A scan was loaded with another geometry than another library reads, and without a flag about it."""


def load_scan(path: Path, number: int) -> str:
    """Load a scan and check it; returns what came of it."""
    from MidlineShiftLogic.headct import check, read

    ct = read(path, SPACING if path.suffix == ".npy" else None)
    flags = [*ct.quality, *(check(ct) if number % CHECK_EVERY == 0 else ())]
    if any(flag.code == "check-failed" for flag in flags):
        raise AssertionError(next(flag.message for flag in flags if flag.code == "check-failed"))
    readable = not any(
        flag.severity == "fatal" for flag in ct.quality
    )  # a head of one slice is refused later, but read
    if readable and number % CHECK_EVERY == 0 and path.suffix not in (".npy", ".npz"):
        difference = differs(path, ct)
        if difference is not None and not GEOMETRY_CODES & {flag.code for flag in flags}:
            raise SilentlyWrong(f"{difference}; shape {ct.hu.shape}, flags {[flag.code for flag in flags]}")
    if any(flag.severity == "fatal" for flag in flags):
        return "refused"
    return "loaded"


def load_labels(path: Path, number: int) -> str:
    """Load a pickle of labels."""
    from midlineshift_training.datasets.annotated.safe_pickle import load_plain

    load_plain(path)
    return "loaded"


def load_model_json(path: Path, number: int) -> str:
    """Read a model's description."""
    from MidlineShiftLogic.models.folder import read_description

    (path.parent / "model.json").write_bytes(path.read_bytes())
    read_description(path.parent)
    return "loaded"


class Listener:
    """A receiver on loopback; each input is what one connection sends."""

    def __init__(self, folder: Path):
        import logging

        from MidlineShiftLogic.pacs.access_control import AllowedSender
        from MidlineShiftLogic.pacs.queue import Queue
        from MidlineShiftLogic.pacs.receiver import Receiver
        from MidlineShiftLogic.pacs.spool import Spool
        from MidlineShiftLogic.pacs.transfers import Transfers

        for name in ("pynetdicom", "midlineshift.listen"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        spool = Spool(folder / "spool", min_free_bytes=0)
        self.receiver = Receiver(
            "MIDLINESHIFT", ("127.0.0.1", 0), [AllowedSender("SCANNER")], spool, Queue(spool.database), Transfers()
        )
        self.port = self.receiver.start()

    def __call__(self, path: Path, number: int) -> str:
        with socket.create_connection(("127.0.0.1", self.port), 10) as sock:
            sock.settimeout(0.02)
            try:
                sock.sendall(path.read_bytes())
                while sock.recv(4096):
                    pass
            except OSError:
                pass
        self.receiver.sweep()
        if number % 50 == 0:
            from pynetdicom import AE

            entity = AE("SCANNER")
            entity.add_requested_context("1.2.840.10008.1.1")
            for _ in range(20):
                made = entity.associate("127.0.0.1", self.port, ae_title="MIDLINESHIFT")
                if made.is_established:
                    break
                time.sleep(0.5)
            if not made.is_established or made.send_c_echo().Status != 0:
                raise AssertionError(f"an allowed sender is kept out: {self.receiver._guard.counts()}")
            made.release()
        return "answered"


def target_of(kind: str, folder: Path):
    """Return the function that a format's inputs are given to."""
    if kind == "network":
        return Listener(folder)
    return {"pickle": load_labels, "model-json": load_model_json}.get(kind, load_scan)


def work(kind: str, seeds: list[Path], folder: Path, seed: int, first: int, count: int, pipe) -> None:
    """Give mutated inputs number ``first`` to ``count`` to their target, in a process of its own."""
    from MidlineShiftLogic.errors import MidlineShiftError

    target = target_of(kind, folder)
    contents = [path.read_bytes() for path in seeds]
    warnings.simplefilter("ignore")
    threading.excepthook = lambda _: None  # errors in pynetdicom's own threads end their connection only
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number in range(first, count):
        chance = random.Random(f"{seed} {kind} {number}")
        which = chance.randrange(len(seeds))
        path = folder / f"input{seeds[which].suffix}"
        path.write_bytes(mutate(contents[which], chance))
        pipe.send(("start", number, str(path)))
        began, error = time.process_time(), ""
        try:
            outcome = target(path, number)
        except MidlineShiftError as caught:
            outcome = "refused"
            sentence = str(caught)
            if caught.code in ("memory", "unexpected") or not sentence or "\n" in sentence:
                outcome, error = "traceback", f"{caught.code}: {sentence}\n" + traceback.format_exc()
        except SilentlyWrong as caught:
            outcome, error = "geometry", str(caught)
        except BaseException:
            outcome, error = "traceback", traceback.format_exc()
        seconds = time.process_time() - began
        if seconds > CPU_SECONDS:
            outcome, error = "hang", f"{seconds:.1f} s"
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        if peak > MEMORY_BYTES:
            outcome, error = "memory", f"{peak / 1e9:.1f} GB"
        pipe.send(("done", number, outcome, error, seconds, peak))
        if outcome == "memory":
            os._exit(0)
    pipe.send(("end",))
    os._exit(0)


def fuzz(kind: str, seeds: list[Path], seed: int, count: int, seconds: float, keep: Path | None) -> dict:
    """Run one format; returns its figures and failures."""
    context = multiprocessing.get_context("fork")
    figures = {
        "mutations": 0,
        "loaded": 0,
        "refused": 0,
        "answered": 0,
        "crash": 0,
        "hang": 0,
        "memory": 0,
        "traceback": 0,
        "geometry": 0,
    }
    figures |= {"slowest_s": 0.0, "peak_mb": 0}
    failures, first, end = [], 0, time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for path in seeds[0].parent.glob("data.*"):
            shutil.copy(path, folder)
        while first < count and time.monotonic() < end:
            here, there = context.Pipe()
            process = context.Process(target=work, args=(kind, seeds, folder, seed, first, count, there), daemon=True)
            process.start()
            there.close()
            current = ""
            while True:
                try:
                    message = here.recv() if here.poll(WALL_SECONDS) else ("late",)
                except EOFError:
                    message = ("died",)
                if message[0] == "start":
                    _, first, current = message
                    if time.monotonic() > end:
                        process.kill()
                        break
                    continue
                if message[0] == "end":
                    first = count
                    break
                outcome, error = {"late": ("hang", "no answer"), "died": ("crash", "the process died")}.get(
                    message[0], message[2:4] if message[0] == "done" else ("", "")
                )
                if message[0] == "done":
                    figures["slowest_s"] = max(figures["slowest_s"], round(message[4], 2))
                    figures["peak_mb"] = max(figures["peak_mb"], message[5] // 1_000_000)
                figures["mutations"] += 1
                figures[outcome] += 1
                if error:
                    failures.append({"kind": kind, "number": first, "outcome": outcome, "error": error})
                    if keep is not None:
                        keep.mkdir(parents=True, exist_ok=True)
                        shutil.copy(current, keep / f"{kind}-{first}{Path(current).suffix}")
                first += 1
                if message[0] != "done" or outcome == "memory":
                    process.kill()
                    break
            process.join()
            here.close()
    return {"figures": figures, "failures": failures}


def _seed(text: str) -> int:
    return random.SystemRandom().randrange(1 << 32) if text == "random" else int(text)


def main() -> int:
    """Run all formats in turn; the exit code is 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, help="time for all formats together")
    parser.add_argument("--mutations", type=int, default=1_000_000_000, help="inputs of each format")
    parser.add_argument("--only", action="append", help="one format; repeatable")
    parser.add_argument("--seed", type=_seed, default=0, help="a number, or 'random' for another one each time")
    parser.add_argument("--keep", type=Path, help="folder for failing inputs")
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        seeds = write_seeds(Path(folder))
        kinds = [kind for kind in seeds if not options.only or kind in options.only]
        seconds = options.minutes * 60 / len(kinds) if options.minutes else float("inf")
        if not options.minutes and options.mutations == 1_000_000_000:
            parser.error("give --minutes or --mutations")
        results = {}
        print(f"seed {options.seed}", flush=True)
        for kind in kinds:
            results[kind] = fuzz(kind, seeds[kind], options.seed, options.mutations, seconds, options.keep)
            print(kind, json.dumps(results[kind]["figures"]), flush=True)
            for failure in results[kind]["failures"][:20]:
                print(f"  {failure['number']}: {failure['outcome']}\n{failure['error']}", flush=True)
            if options.out:
                options.out.write_text(json.dumps(results, indent=2))
    return int(any(result["failures"] for result in results.values()))


if __name__ == "__main__":
    sys.exit(main())
