"""Decode compressed DICOM pixels in a child process with limits, so that no file can crash or fill this one.

The decoders of JPEG, JPEG-LS and JPEG 2000 are native libraries (docs/adr/0034). One child serves all files of a series.
On Linux it is a fork of this process (about 20 ms), elsewhere a new Python (about half a second).
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from io import BytesIO
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np

from MidlineShiftLogic.headct.dicom_file import read_dataset
from MidlineShiftLogic.headct.stored_values import MAX_VALUES_BYTES, DamagedFile

FILE_SECONDS, FRAME_SECONDS = 20.0, 0.5
"""Time for one file, and for each of its frames beyond that; a slice takes 5 to 50 ms."""

CHILD_BYTES = 1_900_000_000
"""Address space of the child beyond what it starts with."""

CPU_SECONDS = 900
"""Processor time of one child; it also ends a child whose parent was killed."""

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""Ctrl-C reaches the child, too; its parent ends it, or finishes the scan first, as the listener does."""


class PixelDecoder:
    """Decode compressed files one after another; use it as a context, or call ``close``."""

    def __init__(self) -> None:
        self._pid: int | None = None
        self._process: subprocess.Popen | None = None
        self._requests: IO[bytes] | None = None
        self._answers: IO[bytes] | None = None

    def __enter__(self) -> PixelDecoder:
        return self

    def __exit__(self, *_error) -> None:
        self.close()

    def decode(self, file: Path, frames: int) -> np.ndarray:
        """Return the stored values of a compressed file.

        Args:
            file: DICOM file.
            frames: number of its frames, for the time limit.

        Returns:
            (row, column) or (frame, row, column) integers.

        Raises:
            DamagedFile: the decoder failed, crashed, or exceeded its limits; the message names the reason.
        """
        if self._requests is None:
            self._start()
        limit = FILE_SECONDS + FRAME_SECONDS * frames
        deadline = time.monotonic() + limit
        alarm = None
        if self._process is not None:
            alarm = threading.Timer(limit, self._process.kill)  # Windows cannot wait for a pipe with a limit
            alarm.start()
        try:
            if self._requests is None or self._answers is None:
                raise OSError("the child did not start")
            self._requests.write(json.dumps(str(file)).encode() + b"\n")
            self._requests.flush()
            size = struct.unpack("<I", self._read(self._answers, 4, deadline))[0]
            answer = json.loads(self._read(self._answers, size, deadline))
            if "error" in answer:
                raise DamagedFile(answer["error"])
            shape, dtype = tuple(answer["shape"]), np.dtype(answer["dtype"])
            count = int(np.prod(shape, dtype=object)) * dtype.itemsize
            if dtype.kind not in "iu" or count > MAX_VALUES_BYTES:
                raise DamagedFile("the decoder returned an unexpected array")
            return np.frombuffer(self._read(self._answers, count, deadline), dtype).reshape(shape)
        except TimeoutError as error:
            self.close()
            raise DamagedFile(f"decoding takes longer than {limit:.0f} s") from error
        except (EOFError, OSError, ValueError) as error:
            if isinstance(error, DamagedFile):
                raise
            self.close()
            raise DamagedFile("its decoder crashed or ran out of memory") from error
        finally:
            if alarm is not None:
                alarm.cancel()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """End the child."""
        for stream in (self._requests, self._answers):
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.close()
        if self._pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, 9)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self._pid, 0)
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._pid = self._process = self._requests = self._answers = None

    def _start(self) -> None:
        if sys.platform == "linux":
            self._fork()
            return
        self._process = subprocess.Popen(
            [sys.executable, "-m", "MidlineShiftLogic.headct.pixel_decoder"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._requests, self._answers = self._process.stdin, self._process.stdout

    def _fork(self) -> None:
        import warnings

        # Imported before the fork, the decoders cost once and not in every child.
        with contextlib.suppress(ImportError):
            import pydicom.pixels  # noqa: F401
        request_read, request_write = os.pipe()
        answer_read, answer_write = os.pipe()
        # A signal right behind the fork would run this process's handlers, and its clean-up, in the child as well.
        unblocked = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # beside threads: the child uses none of them
                pid = os.fork()
            if pid == 0:
                try:
                    for one in ENDING_SIGNALS:
                        signal.signal(one, signal.SIG_IGN)
                    signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
                    os.close(request_write)
                    os.close(answer_read)
                    quiet = os.open(os.devnull, os.O_RDWR)
                    for handle in (0, 1, 2):
                        os.dup2(quiet, handle)
                    with os.fdopen(request_read, "rb") as requests, os.fdopen(answer_write, "wb") as answers:
                        serve(requests, answers)
                finally:
                    os._exit(0)
            os.close(request_read)
            os.close(answer_write)
            self._pid = pid
            self._requests, self._answers = os.fdopen(request_write, "wb"), os.fdopen(answer_read, "rb", buffering=0)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)

    @staticmethod
    def _read(answers: Any, count: int, deadline: float) -> bytearray:
        """Read exactly ``count`` bytes of the child's answer before the deadline."""
        result = bytearray(count)
        view, place = memoryview(result), 0
        while place < count:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            if os.name == "posix" and not select.select([answers], [], [], min(left, 1.0))[0]:
                continue
            got = answers.readinto(view[place : place + (1 << 20)])
            if not got:
                raise EOFError
            place += got
        return result


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Decode the files whose names arrive, within limits, until the stream of requests ends."""
    _limit_resources()
    for line in requests:
        try:
            values = decode_here(Path(json.loads(line)))
            answer = {"shape": values.shape, "dtype": values.dtype.str}
        except BaseException as error:  # whatever a decoder does is an answer
            values, answer = None, {"error": decoding_problem(error)}
        header = json.dumps(answer).encode()
        answers.write(struct.pack("<I", len(header)) + header)
        if values is not None:
            answers.write(np.ascontiguousarray(values).data)
        answers.flush()


def decode_here(file: Path) -> np.ndarray:
    """Decode the pixels of a DICOM file in this process.

    Raises:
        Exception: whatever pydicom and its decoders raise.
    """
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = read_dataset(file, pixels=True)
        return prepared(dataset).pixel_array


def prepared(dataset):
    """Return the data set with the elements that pydicom needs to decode it, where a writer left them out."""
    from pydicom.uid import ImplicitVRLittleEndian

    if "TransferSyntaxUID" not in dataset.file_meta:
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    if not dataset.get("PhotometricInterpretation"):
        dataset.PhotometricInterpretation = "MONOCHROME2"
    return dataset


def decoding_problem(error: BaseException) -> str:
    """Return why decoding failed, as part of a sentence; a missing decoder is named with its remedy."""
    text = str(error)
    if "missing dependencies" in text:
        compression = text.split("'")[1] if text.count("'") >= 2 else "unknown"
        return (
            f"it is compressed ({compression}) and no decoder for it is installed: run pip install pylibjpeg "
            "pylibjpeg-libjpeg pylibjpeg-openjpeg, or export the series uncompressed"
        )
    if isinstance(error, MemoryError):
        return "decoding takes too much memory"
    return "damaged pixels"


def require_codestream_size(dataset, shape: tuple[int, int]) -> None:
    """Refuse compressed frames whose own header claims other dimensions than the data set.

    Args:
        dataset: with pixels, in a compressed transfer syntax.
        shape: (rows, columns) of the data set.

    Raises:
        DamagedFile: other dimensions: the decoder would allocate for them.
    """
    from pydicom.encaps import generate_fragments, parse_basic_offsets

    content = dataset.PixelData
    try:
        buffer = BytesIO(content)
        parse_basic_offsets(buffer)
        for fragment in generate_fragments(buffer):
            claimed = _claimed_size(fragment)
            if claimed is not None and claimed != shape:
                raise DamagedFile(f"a compressed image claims {claimed[0]} x {claimed[1]} pixels")
    except (ValueError, EOFError, struct.error) as error:
        if isinstance(error, DamagedFile):
            raise
        raise DamagedFile("its compressed images are damaged") from error


def _claimed_size(fragment: bytes) -> tuple[int, int] | None:
    """Return (rows, columns) in the frame header of JPEG and JPEG-LS (SOF, SOF55) or JPEG 2000 (SIZ); None for others."""
    if fragment.startswith(b"\xff\x4f\xff\x51") and len(fragment) >= 24:
        right, bottom, left, top = struct.unpack(">IIII", fragment[8:24])
        return bottom - top, right - left
    if not fragment.startswith(b"\xff\xd8\xff"):
        return None
    place = 2
    while place + 9 <= len(fragment) and fragment[place] == 0xFF:
        marker, length = fragment[place + 1], int.from_bytes(fragment[place + 2 : place + 4], "big")
        if (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)) or marker == 0xF7:
            return struct.unpack(">HH", fragment[place + 5 : place + 9])
        if marker == 0xDA or length < 2:
            return None
        place += 2 + length
    return None


def _limit_resources() -> None:
    try:
        import resource
    except ImportError:  # Windows: the header's claims and the time are limited
        return
    with contextlib.suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text().split()[0]) if sys.platform == "linux" else 0
        present = pages * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (present + CHILD_BYTES, present + CHILD_BYTES))
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
