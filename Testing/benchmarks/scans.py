"""The scans that speed is measured on, made from the shipped synthetic sample: any size, any number of slices, NIfTI or DICOM."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import ndimage

from MidlineShiftLogic.headct import read
from MidlineShiftLogic.headct.headct import HeadCT

SAMPLE = Path(__file__).parents[2] / "Resources" / "SampleScans" / "sample_shifted.nii.gz"
NOISE_HU = 3.0
SEED = 0


def bench_scan(slices: int = 30, pixels: int = 512) -> HeadCT:
    """The shifted sample on another grid, over the same stretch of the head.

    Enlarging smooths, and smooth pictures compress and are thresholded more quickly than real ones; so noise of
    ``NOISE_HU`` is put on, the same at each call.
    """
    ct = read(SAMPLE)
    n, rows, columns = ct.hu.shape
    place = np.linspace(0, n - 1, slices)
    below = np.minimum(place.astype(int), n - 2)
    share = (place - below).astype(np.float32)
    rng = np.random.default_rng(SEED)
    hu = np.empty((slices, pixels, pixels), np.float32)
    for k in range(slices):
        picture = (1 - share[k]) * ct.hu[below[k]] + share[k] * ct.hu[below[k] + 1]
        hu[k] = ndimage.zoom(picture, (pixels / rows, pixels / columns), order=1)
        hu[k] += NOISE_HU * rng.standard_normal((pixels, pixels), dtype=np.float32)
    np.clip(np.rint(hu, out=hu), -1024, 3071, out=hu)
    row_mm, column_mm = ct.pixel_spacing
    step = float(np.ptp(ct.heights)) / (slices - 1)
    origins = ct.origins[0] + np.linspace(0, 1, slices)[:, None] * (ct.origins[-1] - ct.origins[0])
    return HeadCT(
        hu=hu,
        origins=origins,
        column_axis=ct.column_axis,
        row_axis=ct.row_axis,
        pixel_spacing=(row_mm * (rows - 1) / (pixels - 1), column_mm * (columns - 1) / (pixels - 1)),
        thickness=np.full(slices, step),
        source_slices=tuple((k,) for k in range(slices)),
        source={"format": "benchmark"},
    )


def write_nifti(ct: HeadCT, path: Path) -> Path:
    """int16, as scanners' converters store it."""
    import nibabel

    affine = np.eye(4)
    affine[:3, 0] = ct.column_axis * ct.pixel_spacing[1]
    affine[:3, 1] = ct.row_axis * ct.pixel_spacing[0]
    affine[:3, 2] = (ct.origins[-1] - ct.origins[0]) / (ct.n_slices - 1)
    affine[:3, 3] = ct.origins[0]
    image = nibabel.Nifti1Image(ct.hu.transpose(2, 1, 0).astype(np.int16), np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine)
    image.header["descrip"] = b"synthetic head CT, no patient"
    nibabel.save(image, path)
    return path


def write_dicom(ct: HeadCT, folder: Path) -> Path:
    """One uncompressed CT image a slice."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

    folder.mkdir()
    series = "1.2.826.0.1.3680043.8.498.7"
    row_mm, column_mm = ct.pixel_spacing
    for k in range(ct.n_slices):
        image = Dataset()
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = CTImageStorage
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = f"{series}.{k + 1}"
        image.SeriesInstanceUID = image.StudyInstanceUID = series
        image.Modality, image.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
        image.SeriesNumber, image.InstanceNumber, image.AcquisitionNumber = 1, k + 1, 1
        image.ImagePositionPatient = [f"{value:.5f}" for value in ct.origins[k]]
        image.ImageOrientationPatient = [f"{value:.8f}" for value in (*ct.column_axis, *ct.row_axis)]
        image.PixelSpacing = [f"{row_mm:.6f}", f"{column_mm:.6f}"]
        image.SliceThickness = f"{ct.thickness[k]:.4f}"
        image.Rows, image.Columns = ct.hu.shape[1:]
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.BitsAllocated = image.BitsStored = 16
        image.HighBit, image.PixelRepresentation = 15, 1
        image.RescaleSlope, image.RescaleIntercept = 1, 0
        image.PixelData = ct.hu[k].astype("<i2").tobytes()
        image.save_as(folder / f"{k:04d}.dcm", enforce_file_format=True)
    return folder
