"""Make the seed corpus: one small intact head CT in every format and encoding that is loaded, and other inputs."""

from __future__ import annotations

import gzip
import json
import pickle
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
from make_scans import affine_lps, dicom_slice, make_head, write_enhanced, write_nifti

from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.headct.npz import write_npz

SPACING = (10.0, 4.0, 4.0)
"""mm between slices, rows and columns of the seeds, as ``.npy`` needs them."""


def head() -> HeadCT:
    """Return the head of all seeds: 14 slices of 52 x 52 pixels."""
    return make_head(n_slices=14, step=SPACING[0], size=52, pixel=SPACING[1])


def metaimage(ct: HeadCT, compressed: bool = False, data_file: str = "LOCAL") -> tuple[bytes, bytes]:
    """Return (header, data) of a MetaImage file."""
    affine, shape = affine_lps(ct), ct.hu.shape[::-1]
    data = ct.hu.astype("<i2").tobytes()
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    lines = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": str(compressed),
        "TransformMatrix": " ".join(f"{value:g}" for value in (affine[:3, :3] / spacing).T.ravel()),
        "Offset": " ".join(f"{value:g}" for value in affine[:3, 3]),
        "ElementSpacing": " ".join(f"{value:g}" for value in spacing),
        "DimSize": " ".join(map(str, shape)),
        "ElementType": "MET_SHORT",
        "ElementDataFile": data_file,
    }
    if compressed:
        data = zlib.compress(data)
        lines = {
            "ObjectType": "Image",
            "CompressedDataSize": str(len(data)),
        } | lines  # ITK reads the wrong bytes without
    header = "".join(f"{name} = {value}\n" for name, value in lines.items())
    return header.encode(), data


def nrrd(ct: HeadCT, encoding: str = "raw", data_file: str = "") -> tuple[bytes, bytes]:
    """Return (header with its empty line, data) of an NRRD file."""
    affine, shape = affine_lps(ct), ct.hu.shape[::-1]
    vectors = " ".join("(" + ",".join(f"{value:g}" for value in affine[:3, axis]) + ")" for axis in range(3))
    origin = ",".join(f"{value:g}" for value in affine[:3, 3])
    lines = ["NRRD0004", "type: short", "dimension: 3", "space: left-posterior-superior"]
    lines += [f"sizes: {' '.join(map(str, shape))}", f"space directions: {vectors}", "kinds: domain domain domain"]
    lines += ["endian: little", f"encoding: {encoding}", f"space origin: ({origin})"]
    lines += [f"data file: {data_file}"] if data_file else []
    data = ct.hu.astype("<i2").tobytes()
    return ("\n".join(lines) + "\n\n").encode(), gzip.compress(data, mtime=0) if encoding == "gzip" else data


def dicom_bytes(ct: HeadCT, syntax: str = "", folder: Path = Path()) -> bytes:
    """Return one slice as a DICOM file, compressed if a transfer syntax is given."""
    dataset = dicom_slice(ct, ct.n_slices // 2)
    if syntax:
        dataset.compress(syntax)
    path = folder / "one.dcm"
    dataset.save_as(path, enforce_file_format=True)
    content = path.read_bytes()
    path.unlink()
    return content


def labels() -> bytes:
    """Return a pickle in the layout of Gong et al."""
    record = ["scan.npy", 1, {11: np.array([[1.5, 2], [3, 4], [5, 6], [7, 8]])}, 14.7]
    return pickle.dumps({"a": record, "b": ("y.npy", 0, {}, np.float64(0.25))}, 2)


def model_description() -> bytes:
    """Return a ``model.json``."""
    pose = {"kind": "midline_unet", "config": {"features": [8, 8, 8, 8, 8], "flow": False}, "file": "p", "sha256": "0"}
    content = {
        "format": 1, "name": "m", "version": "1", "description": "d", "licence": "l", "trained_on": "t",
        "frame": {"grid": 128, "pixel_mm": 1.8, "length_mm": 198.0}, "window_hu": [0, 80],
        "noise": {"t": 300, "seed": 0, "schedule": "linear", "steps": 1000, "grid": 64},
        "components": {"pose": pose}, "readout": {"quantile": 0.75}, "accuracy": {}, "uncertainty": None,
    }  # fmt: skip
    return json.dumps(content).encode()


def association() -> bytes:
    """Return what a sender writes to the listener's port: an association request, a C-ECHO and a release (PS3.8)."""

    def item(kind: int, content: bytes) -> bytes:
        return struct.pack(">BxH", kind, len(content)) + content

    def pdu(kind: int, content: bytes) -> bytes:
        return struct.pack(">BxL", kind, len(content)) + content

    echo = b"1.2.840.10008.1.1"
    context = b"\x01\0\0\0" + item(0x30, echo) + item(0x40, b"1.2.840.10008.1.2")
    user = item(0x51, struct.pack(">L", 16382)) + item(0x52, b"1.2.826.0.1.3680043.9.3811.3.0.2")
    request = struct.pack(">HH16s16s32x", 1, 0, b"MIDLINESHIFT".ljust(16), b"SCANNER".ljust(16))
    request += item(0x10, b"1.2.840.10008.3.1.1.1") + item(0x20, context) + item(0x50, user)
    elements = struct.pack("<HHL18s", 0, 2, 18, echo) + struct.pack("<HHLH", 0, 0x100, 2, 0x30)
    elements += struct.pack("<HHLH", 0, 0x110, 2, 1) + struct.pack("<HHLH", 0, 0x800, 2, 0x101)
    command = b"\x03" + struct.pack("<HHLL", 0, 0, 4, len(elements)) + elements
    data = pdu(4, struct.pack(">LB", len(command) + 1, 1) + command)
    return pdu(1, request) + data + pdu(5, bytes(4))


def write_seeds(folder: Path) -> dict[str, list[Path]]:
    """Write the corpus; returns the seeds of each format. Files named ``data.*`` belong to the header beside them."""
    ct = head()
    folder.mkdir(parents=True, exist_ok=True)
    seeds: dict[str, list[Path]] = {}

    def keep(kind: str, name: str, content: bytes | Callable[[Path], object]) -> None:
        path = folder / name
        if callable(content):
            content(path)
        else:
            path.write_bytes(content)
        seeds.setdefault(kind, []).append(path)

    keep("nifti", "plain.nii", lambda path: write_nifti(ct, path))
    keep("nifti", "qform.nii", lambda path: write_nifti(ct, path, "RAS", np.float32, (0, 1)))
    keep("nifti", "two.nii", lambda path: nibabel.save(nibabel.Nifti2Image(ct.hu.T, np.diag([-4.0, -4, 10, 1])), path))
    keep("nifti-gz", "packed.nii.gz", lambda path: write_nifti(ct, path, "LAS"))
    keep("metaimage", "raw.mha", b"".join(metaimage(ct)))
    keep("metaimage", "packed.mha", b"".join(metaimage(ct, True)))
    header, data = metaimage(ct, data_file="data.raw")
    (folder / "data.raw").write_bytes(data)
    keep("metaimage", "detached.mhd", header)
    keep("nrrd", "raw.nrrd", b"".join(nrrd(ct)))
    keep("nrrd", "packed.nrrd", b"".join(nrrd(ct, "gzip")))
    keep("nrrd", "detached.nhdr", nrrd(ct, data_file="data.raw")[0])
    keep("npy", "array.npy", lambda path: np.save(path, ct.hu))
    keep("npz", "scan.npz", lambda path: write_npz(path, ct))
    keep("npz", "packed.npz", lambda path: write_npz(path, ct, compressed=True))
    keep("dicom", "slice.dcm", dicom_bytes(ct, folder=folder))
    keep("dicom", "enhanced.dcm", lambda path: write_enhanced(ct, path))
    for name, syntax in (("rle", "1.2.840.10008.1.2.5"), ("j2k", "1.2.840.10008.1.2.4.90")):
        try:
            content = dicom_bytes(ct, syntax, folder)
        except (RuntimeError, NotImplementedError, ValueError):
            continue  # no encoder installed
        keep("dicom-compressed", f"{name}.dcm", content)
    keep("pickle", "labels.pkl", labels())
    keep("model-json", "model.json", model_description())
    keep("network", "association.bin", association())
    return seeds
