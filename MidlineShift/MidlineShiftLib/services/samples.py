"""The shipped synthetic scans: registered with Slicer's Sample Data module, and loaded from there."""

import hashlib
from pathlib import Path
from typing import Protocol

from slicer.i18n import tr as _

CATEGORY = "Midline Shift"
SAMPLES = {"MidlineShiftSample": "sample_shifted", "MidlineShiftUnshifted": "sample_unshifted"}
"""Name in Sample Data -> name of the file without its ending."""


def isSynthetic(volumeNode) -> bool:
    """Return whether a volume was drawn by a program: one of the samples, also when Sample Data loaded it."""
    return volumeNode.GetName().startswith(tuple(SAMPLES.values()))


class SampleSource(Protocol):
    """Loads the sample scan."""

    def load(self):
        """Return the volume node; SampleError if it cannot be loaded."""


class SampleError(Exception):
    """The sample scan cannot be loaded; its text is one sentence for the user."""


class SlicerSamples:
    """``SampleSource`` on Slicer's Sample Data module."""

    def load(self):
        """Load the shifted sample."""
        import SampleData

        try:
            # raises, whatever went wrong: a missing file, a full disk, a checksum that does not match
            volume = SampleData.downloadSample(next(iter(SAMPLES)))
        except Exception as error:
            raise SampleError(_("The sample scan could not be loaded ({error}).").format(error=error)) from error
        if volume is None:
            raise SampleError(_("The sample scan could not be loaded."))
        return volume


def registerSamples(folder: Path, thumbnail: Path) -> None:
    """Put the scans into Sample Data; nothing is downloaded.

    Args:
        folder: of the ``.nii.gz`` files; one that is not there is left out. thumbnail: a picture for both.
    """
    import SampleData

    for name, sample in SAMPLES.items():
        path = folder / f"{sample}.nii.gz"
        if not path.is_file():
            continue
        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            category=CATEGORY,
            sampleName=name,
            uris=path.as_uri(),
            fileNames=path.name,
            nodeNames=sample,
            thumbnailFileName=str(thumbnail),
            # without it a sample that changed with an update would stay the old one in Slicer's cache
            checksums=f"SHA256:{hashlib.sha256(path.read_bytes()).hexdigest()}",
        )
