"""Load the pixels of a DICOM series as Hounsfield units."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.assemble import AIR_HU, touching_edge
from MidlineShiftLogic.headct.dicom_file import read_dataset
from MidlineShiftLogic.headct.frames import Frame
from MidlineShiftLogic.headct.pixel_decoder import PixelDecoder, decoding_problem, prepared, require_codestream_size
from MidlineShiftLogic.headct.stored_values import MAX_VALUES_BYTES, DamagedFile, require_regular_file
from MidlineShiftLogic.quality import Quality

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

MAX_PIXELS = MAX_VALUES_BYTES // 2
"""Of all frames of one file; stored values have two bytes."""

SURELY_PADDING_HU = -900.0
"""A padding value below this can be no tissue and is taken as air wherever it stands."""


class FramePixels:
    """Load the pixels of one series; the last multi-frame file is kept, since its frames are requested one after another.

    Args:
        frames: images of the series. quality: takes the flags that come up while pixels are loaded.
    """

    def __init__(self, frames: Sequence[Frame], quality: list[Quality]):
        self._last: tuple[Path, Dataset, np.ndarray] | None = None
        self._counts = Counter(frame.file for frame in frames)
        self._quality = quality
        self._child = PixelDecoder()

    def hounsfield(self, frame: Frame) -> np.ndarray:
        """Return (row, column) float32 Hounsfield units of one frame, padding as air.

        Raises:
            InputError: truncated, damaged, or compressed in a way that no installed decoder supports.
        """
        header, stored = self._stored(frame)
        slope = 1.0 if frame.slope is None else frame.slope
        intercept = 0.0 if frame.intercept is None else frame.intercept
        values = stored.astype(np.float32) * np.float32(slope) + np.float32(intercept)
        padding = _padding(header, stored)
        if padding is not None and padding.any():
            if values[padding].max() >= SURELY_PADDING_HU:
                padding = touching_edge(padding)
            values[padding] = AIR_HU
        return values

    def _stored(self, frame: Frame) -> tuple[Dataset, np.ndarray]:
        """Return the header of a frame's file, and the (row, column) stored values of the frame."""
        if frame.index is None:
            header, image = self._decode(frame)
        else:
            if self._last is None or self._last[0] != frame.file:
                self._last = (frame.file, *self._decode(frame))
            _, header, images = self._last
            images = images[None] if images.ndim == 2 else images
            if not frame.index < len(images):
                raise _damaged(frame.file, f"it holds {len(images)} images")
            image = images[frame.index]
        if image.shape != frame.shape:
            raise _damaged(frame.file, f"it holds {image.shape} pixels where its header states {frame.shape}")
        return header, image

    def _decode(self, frame: Frame) -> tuple[Dataset, np.ndarray]:
        """Return a file's header, and its (row, column) or (frame, row, column) stored values."""
        file, count = frame.file, self._counts[frame.file]
        try:
            if require_regular_file(file) > MAX_VALUES_BYTES or count * frame.shape[0] * frame.shape[1] > MAX_PIXELS:
                raise DamagedFile("it is larger than any head CT")
            header = prepared(read_dataset(file, pixels=True))
            if header.file_meta.TransferSyntaxUID.is_encapsulated:
                require_codestream_size(header, frame.shape)
                return header, self._child.decode(file, count)
            self._check_bits(header)
            return header, header.pixel_array
        except MemoryError:
            raise
        except DamagedFile as error:
            raise _damaged(file, str(error)) from error
        except Exception as error:  # pydicom raises whatever the nonsense in a header leads to
            raise _damaged(file, decoding_problem(error)) from error

    def _check_bits(self, header: Dataset) -> None:
        """Report pixels that use more bits than the header states: pydicom leaves the upper bits out."""
        allocated, stored = int(header.BitsAllocated), int(header.BitsStored)
        if allocated != 16 or not 0 < stored < 16 or any(flag.code == "bits-stored" for flag in self._quality):
            return
        content, signed = header.PixelData, bool(header.PixelRepresentation)
        values = np.frombuffer(content, "<i2" if signed else "<u2", len(content) // 2)
        low, high = (-(1 << stored - 1), (1 << stored - 1) - 1) if signed else (0, (1 << stored) - 1)
        if values.size and (values.min() < low or values.max() > high):
            self._quality.append(
                Quality(
                    "bits-stored",
                    "warning",
                    f"The DICOM header states {stored} bits a pixel but the pixels use more; the upper bits were left out, so "
                    "very dense or very thin tissue may have wrong values: compare the picture with the original.",
                )
            )


def _damaged(file: Path, why: str) -> InputError:
    return InputError(
        f"The pixels of {file} are incomplete or damaged ({why}); copy or export the series again.", "damaged-file"
    )


def _padding(header: Dataset, stored: np.ndarray) -> np.ndarray | None:
    """Return (row, column) bool: pixels that hold the header's padding value or are in its padding range."""
    value = header.get("PixelPaddingValue")
    if value is None:
        return None
    limit = header.get("PixelPaddingRangeLimit", value)
    try:
        low, high = sorted((int(value), int(limit)))
    except (TypeError, ValueError):
        return None
    if header.get("PixelRepresentation") == 1 and low > 32767:
        # Some writers store a negative padding value as unsigned.
        low, high = low - 65536, high - 65536
    return (stored >= low) & (stored <= high)
