"""A synthetic head with a marker on its left, sampled on any grid and written in any format."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from MidlineShiftLogic.headct.headct import HeadCT

MARKER_LPS = np.array([35.0, -15.0, 15.0])
"""Centre of the bright marker: left, in front, above the middle. No reflection of the head leaves it in place."""

MARKER_HU = 90.0


def head_hu(points: np.ndarray) -> np.ndarray:
    """Hounsfield units of the head at LPS points.

    An ellipsoid 150 x 190 x 160 mm: scalp, 6 mm of skull, brain of 35, ventricles of 8, the marker, an air sinus in
    front below.

    Args:
        points: (..., 3) LPS mm.
    """
    radii = np.array([75.0, 95.0, 80.0])

    def inside(margin: float) -> np.ndarray:
        return ((points / (radii - margin)) ** 2).sum(-1) < 1

    hu = np.full(points.shape[:-1], -1000.0, dtype=np.float32)
    hu[inside(0)] = 40
    hu[inside(5)] = 1200
    hu[inside(11)] = 35
    hu[(((points - [0, -5, 5]) / [8, 30, 12]) ** 2).sum(-1) < 1] = 8
    hu[(np.abs(points - MARKER_LPS) < [8, 8, 12]).all(-1)] = MARKER_HU
    hu[(((points - [0, -62, -40]) / [15, 12, 15]) ** 2).sum(-1) < 1] = -1000
    return hu


def grid(origins: np.ndarray, column_axis, row_axis, shape, pixel_spacing) -> np.ndarray:
    """(slice, row, column, 3) LPS mm of every pixel."""
    rows = np.arange(shape[0])[:, None, None] * pixel_spacing[0] * np.asarray(row_axis)
    columns = np.arange(shape[1])[None, :, None] * pixel_spacing[1] * np.asarray(column_axis)
    return origins[:, None, None, :] + rows + columns


def make_head(
    n_slices: int = 32,
    step: float = 5.0,
    size: int = 160,
    pixel: float = 1.4,
    tilt: float = 0.0,
    column_pixel: float | None = None,
) -> HeadCT:
    """The head as a canonical scan; ``tilt`` degrees of gantry tilt, the table still moving along z."""
    angle = np.radians(tilt)
    column_axis = np.array([1.0, 0.0, 0.0])
    row_axis = np.array([0.0, np.cos(angle), -np.sin(angle)])
    spacing = (pixel, column_pixel or pixel)
    shape = (size, round(size * pixel / spacing[1]))
    middle = column_axis * spacing[1] * (shape[1] - 1) / 2 + row_axis * pixel * (size - 1) / 2
    heights = (np.arange(n_slices) - (n_slices - 1) / 2) * step
    origins = heights[:, None] * np.array([0.0, 0.0, 1.0]) - middle
    hu = np.stack([head_hu(grid(origin[None], column_axis, row_axis, shape, spacing)[0]) for origin in origins])
    return HeadCT(
        hu=hu,
        origins=origins,
        column_axis=column_axis,
        row_axis=row_axis,
        pixel_spacing=spacing,
        thickness=np.full(n_slices, step * np.cos(angle)),
        source={"format": "synthetic"},
    )


def affine_lps(ct: HeadCT) -> np.ndarray:
    """(4, 4) index (column, row, slice) -> LPS mm of an evenly spaced scan."""
    affine = np.eye(4)
    affine[:3, 0] = ct.column_axis * ct.pixel_spacing[1]
    affine[:3, 1] = ct.row_axis * ct.pixel_spacing[0]
    affine[:3, 2] = (ct.origins[-1] - ct.origins[0]) / max(ct.n_slices - 1, 1)
    affine[:3, 3] = ct.origins[0]
    return affine


def write_nifti(ct: HeadCT, path: Path, axcodes: str = "LPS", dtype=np.int16, codes=(1, 1)) -> Path:
    """``axcodes`` as nibabel names them: the direction in which each stored axis increases."""
    import nibabel
    from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff, io_orientation, ornt_transform

    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine_lps(ct)
    data = ct.hu.transpose(2, 1, 0).astype(dtype)
    turn = ornt_transform(io_orientation(affine), axcodes2ornt(tuple(axcodes)))
    image = nibabel.Nifti1Image(apply_orientation(data, turn), affine @ inv_ornt_aff(turn, data.shape))
    image.set_sform(image.affine, codes[0])
    image.set_qform(image.affine if codes[1] else None, codes[1])
    image.header.set_xyzt_units("mm")
    nibabel.save(image, path)
    return path


def write_itk(ct: HeadCT, path: Path, order=(0, 1, 2), flips=(1, 1, 1)) -> Path:
    """NRRD or MetaImage by the path's ending, with axes permuted and flipped."""
    import SimpleITK

    affine = affine_lps(ct)
    image = SimpleITK.GetImageFromArray(ct.hu.astype(np.int16))
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    image.SetSpacing(lengths.tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    image.SetDirection((affine[:3, :3] / lengths).ravel().tolist())
    image = SimpleITK.PermuteAxes(image, order)
    image = SimpleITK.Flip(image, [sign < 0 for sign in flips], False)
    SimpleITK.WriteImage(image, str(path))
    return path


def with_line(path: Path, line: str) -> Path:
    """The same NRRD or MetaImage file with one more line in its header, which is the second one."""
    first, rest = path.read_bytes().split(b"\n", 1)
    path.write_bytes(b"\n".join((first, line.encode(), rest)))
    return path


def dicom_slice(ct: HeadCT, index: int, **changes):
    """One CT image of the scan as a pydicom data set; ``changes`` are elements to set, None to leave out."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    series = changes.pop("SeriesInstanceUID", "1.2.826.0.1.3680043.8.498.1")
    row_mm, column_mm = ct.pixel_spacing
    elements = {
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": f"{series}.{index + 1}",
        "SeriesInstanceUID": series,
        "StudyInstanceUID": "1.2.826.0.1.3680043.8.498.0",
        "SeriesNumber": 2,
        "InstanceNumber": index + 1,
        "AcquisitionNumber": 1,
        "Modality": "CT",
        "PatientName": "Nobody^Known",
        "PatientID": "X",
        "SeriesDescription": "Head 5 mm",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "ConvolutionKernel": "H31s",
        "ImagePositionPatient": [f"{value:.6f}" for value in ct.origins[index]],
        "ImageOrientationPatient": [f"{value:.8f}" for value in (*ct.column_axis, *ct.row_axis)],
        "PixelSpacing": [f"{row_mm:.6f}", f"{column_mm:.6f}"],
        "SliceThickness": f"{ct.thickness[index]:.4f}",
        "Rows": ct.hu.shape[1],
        "Columns": ct.hu.shape[2],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 0,
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
    }
    elements.update(changes)
    for name, value in elements.items():
        if value is not None:
            setattr(dataset, name, value)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    kind = "<i2" if dataset.PixelRepresentation else "<u2"
    slope, intercept = float(elements["RescaleSlope"] or 1), float(elements["RescaleIntercept"] or 0)
    dataset.PixelData = np.rint((ct.hu[index] - intercept) / slope).astype(kind).tobytes()
    return dataset


def write_dicom(ct: HeadCT, folder: Path, indices=None, prefix: str = "IM", edit=None, **changes) -> Path:
    """A series of single images, written in shuffled file order; ``edit`` may change each data set."""
    folder.mkdir(parents=True, exist_ok=True)
    indices = list(range(ct.n_slices) if indices is None else indices)
    names = np.random.default_rng(0).permutation(len(indices))
    for name, index in zip(names, indices, strict=True):
        dataset = dicom_slice(ct, index, **changes)
        if edit:
            dataset = edit(dataset, index) or dataset
        dataset.save_as(folder / f"{prefix}{name:04d}", enforce_file_format=True)
    return folder


def sagittal_dicom(head: HeadCT, folder: Path, plane_axis: int) -> Path:
    """The head's columns (plane_axis 2) or rows (1) as a DICOM series of sagittal or coronal pictures."""
    pictures = head.hu.transpose(2, 0, 1)[:, ::-1] if plane_axis == 2 else head.hu.transpose(1, 0, 2)[:, ::-1]
    along = head.column_axis * head.pixel_spacing[1] if plane_axis == 2 else head.row_axis * head.pixel_spacing[0]
    step = float(head.origins[1, 2] - head.origins[0, 2])
    stored = HeadCT(
        hu=np.ascontiguousarray(pictures),
        origins=head.origins[-1] + np.arange(len(pictures))[:, None] * along,
        column_axis=head.row_axis if plane_axis == 2 else head.column_axis,
        row_axis=np.array([0.0, 0.0, -1.0]),
        pixel_spacing=(step, head.pixel_spacing[0] if plane_axis == 2 else head.pixel_spacing[1]),
        thickness=np.full(len(pictures), float(np.linalg.norm(along))),
    )
    return write_dicom(stored, folder)


def write_enhanced(ct: HeadCT, path: Path) -> Path:
    """An enhanced multi-frame CT file, its frames from the top down."""
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence
    from pydicom.uid import EnhancedCTImageStorage

    def one(**elements) -> Sequence:
        item = Dataset()
        for name, value in elements.items():
            setattr(item, name, value)
        return Sequence([item])

    order = list(range(ct.n_slices))[::-1]
    dataset = dicom_slice(
        ct, 0, SOPClassUID=EnhancedCTImageStorage, ImagePositionPatient=None, ImageOrientationPatient=None,
        PixelSpacing=None, SliceThickness=None, RescaleSlope=None, RescaleIntercept=None, ConvolutionKernel=None,
    )  # fmt: skip
    dataset.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
    dataset.NumberOfFrames = ct.n_slices
    dataset.PixelData = (ct.hu[order] + 1024).astype("<u2").tobytes()
    shared = Dataset()
    shared.PlaneOrientationSequence = one(ImageOrientationPatient=[*map(float, (*ct.column_axis, *ct.row_axis))])
    shared.PixelMeasuresSequence = one(PixelSpacing=list(ct.pixel_spacing), SliceThickness=float(ct.thickness[0]))
    shared.PixelValueTransformationSequence = one(RescaleSlope=1, RescaleIntercept=-1024, RescaleType="HU")
    shared.CTReconstructionSequence = one(ConvolutionKernel="H31s")
    dataset.SharedFunctionalGroupsSequence = Sequence([shared])
    frames = []
    for index in order:
        frame = Dataset()
        frame.PlanePositionSequence = one(ImagePositionPatient=[round(float(value), 6) for value in ct.origins[index]])
        frames.append(frame)
    dataset.PerFrameFunctionalGroupsSequence = Sequence(frames)
    dataset.save_as(path, enforce_file_format=True)
    return path
