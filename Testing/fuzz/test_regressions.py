"""Inputs that once crashed, hung, filled the memory or were measured as if intact; each must be refused in one sentence."""

import contextlib
import gzip
import io
import os
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from make_scans import dicom_slice, make_head, write_dicom, write_nifti
from seeds import SPACING, dicom_bytes, head, metaimage, nrrd

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct import find_series, read, stored_values
from MidlineShiftLogic.headct.dicom_file import MAX_ELEMENTS
from MidlineShiftLogic.headct.find_scans import find_scans
from MidlineShiftLogic.headct.pixel_decoder import PixelDecoder
from MidlineShiftLogic.headct.stored_values import DamagedFile, inflate


def refusal(path, spacing=None):
    with pytest.raises(InputError) as caught:
        read(path, spacing)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message and caught.value.exit_code == 2
    return message


@pytest.fixture
def ct():
    return head()


def changed(content: bytes, **fields: str) -> bytes:
    """A MetaImage header with other values."""
    lines = content.decode().splitlines()
    for name, value in fields.items():
        lines = [line for line in lines if not line.startswith(name + " ")]
        lines.insert(-1 if name != "ElementDataFile" else len(lines), f"{name} = {value}")
    if "ElementDataFile" in fields:
        lines = [line for line in lines if not line.startswith("ElementDataFile")] + [
            f"ElementDataFile = {fields['ElementDataFile']}"
        ]
    return ("\n".join(lines) + "\n").encode()


@pytest.mark.parametrize(
    "fields",
    [
        {"ElementDataFile": "%n%n%d.raw 1 3 1"},
        {"ElementDataFile": "%d.raw 1 29 0"},
        {"ElementDataFile": "A" * 5000},
        {"ElementDataFile": "LIST"},
        {"ElementDataFile": "/etc/hostname"},
        {"ElementDataFile": "../data.raw"},
        {"ElementDataFile": ".."},
        {"ElementDataFile": "C:data.raw"},
        {"ElementDataFile": "pipe"},
        {"ElementDataFile": "nothing.raw"},
        {"NDims": "99"},
        {"NDims": "-1"},
        {"NDims": "0"},
        {"NDims": "3 3"},
        {"DimSize": "52 52 0"},
        {"DimSize": "52 52 -14"},
        {"DimSize": "52 52 99999999999999999999"},
        {"DimSize": "1 1 3063125"},
        {"DimSize": "4096 4096 4096"},
        {"DimSize": "52 52 13"},
        {"BinaryData": "False"},
        {"CompressedData": "True"},
        {"ElementType": "MET_STRING"},
        {"ElementSpacing": "-4 4 10"},
        {"ElementSpacing": "0 4 10"},
        {"ElementSpacing": "nan 4 10"},
        {"ElementSpacing": "4 4"},
        {"TransformMatrix": "1 0 0 0 1 0 0 0 0"},
        {"TransformMatrix": "2 0 0 0 1 0 0 0 1"},
        {"TransformMatrix": "1 0 0 1 0 0 0 0 1"},
        {"Offset": "1e300 0 0"},
        {"HeaderSize": "-5"},
    ],
    ids=lambda fields: "-".join(f"{name}={value[:20]}" for name, value in fields.items()).replace("\0", "0"),
)
def test_metaimage(tmp_path, ct, fields):
    (tmp_path / "data.raw").write_bytes(bytes(100_000))
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "inner").mkdir()
    header, data = metaimage(ct)
    path = tmp_path / "inner" / "a.mha"
    os.link(tmp_path / "data.raw", tmp_path / "inner" / "data.raw")
    os.rename(tmp_path / "pipe", tmp_path / "inner" / "pipe")
    path.write_bytes(changed(header, **fields) + data)
    refusal(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("sizes: 52 52 14", "sizes: 52 52 15"),
        ("sizes: 52 52 14", "sizes: 52 52 9"),
        ("sizes: 52 52 14", "sizes: 52 52"),
        ("sizes: 52 52 14", "sizes: 1 1 37856"),
        ("sizes: 52 52 14", "sizes: -52 52 14"),
        ("dimension: 3", "dimension: 4294967296"),
        ("(4,", "(nan,"),
        ("(4,", "(1e400,"),
        ("(4,0,0)", "(0,0,0)"),
        ("(4,0,0)", "(4,0)"),
        ("(4,0,0)", "4 0 0"),
        ("left-posterior-superior", "somewhere"),
        ("encoding: raw", "encoding: hex"),
        ("encoding: raw", "encoding: gzip"),
        ("encoding: raw", "encoding: ascii"),
        ("type: short", "type: block"),
        ("endian: little", "endian: middle"),
        ("encoding: raw", "encoding: raw\ndata file: ../data.raw"),
        ("encoding: raw", "encoding: raw\ndata file: a%03d.raw 1 9 1"),
        ("encoding: raw", "encoding: raw\nline skip: 99999999"),
        ("encoding: raw", "encoding: raw\nbyte skip: 99999999"),
    ],
)
def test_nrrd(tmp_path, ct, old, new):
    header, data = nrrd(ct)
    assert old.encode() in header
    path = tmp_path / "a.nrrd"
    path.write_bytes(header.replace(old.encode(), new.encode()) + data)
    refusal(path)


@pytest.mark.parametrize(
    ("offset", "packed"),
    [
        (40, struct.pack("<h", 99)),
        (40, struct.pack("<h", -3)),
        (42, struct.pack("<h", -52)),
        (42, struct.pack("<h", 0)),
        (42, struct.pack("<hhh", 1, 1, 32767)),
        (70, struct.pack("<h", 2304)),
        (72, struct.pack("<h", 64)),
        (108, struct.pack("<f", float("inf"))),
        (108, struct.pack("<f", -100)),
        (108, struct.pack("<f", 352.5)),
        (112, struct.pack("<ff", 1, float("nan"))),
        (123, bytes([4])),
        (123, bytes([7])),
        (0, struct.pack("<i", 1)),
        (280, struct.pack("<f", float("nan"))),
        (280, struct.pack("<fff", 0, 0, 0)),
        (292, struct.pack("<f", 1e30)),
    ],
)
def test_nifti(tmp_path, ct, offset, packed):
    path = write_nifti(ct, tmp_path / "a.nii", codes=(1, 0))
    content = bytearray(path.read_bytes())
    content[offset : offset + len(packed)] = packed
    path.write_bytes(content)
    refusal(path)


@pytest.mark.parametrize("shape", [(1024, 1024, 2000), (4096, 4096, 4096), (1, 1, 30000), (512, 512, 32767)])
def test_a_small_file_that_claims_a_huge_volume(tmp_path, ct, shape):
    path = write_nifti(ct, tmp_path / "a.nii")
    content = bytearray(path.read_bytes()[:352])
    content[42:48] = struct.pack("<hhh", *shape)
    for name, written in (("a.nii", bytes(content)), ("a.nii.gz", gzip.compress(bytes(content)))):
        (tmp_path / name).write_bytes(written)
        refusal(tmp_path / name)


@pytest.mark.parametrize("seed", range(25))
def test_flipped_bits_of_a_gzip_file_are_noticed(tmp_path, ct, seed):
    path = write_nifti(ct, tmp_path / "a.nii.gz")
    content = bytearray(path.read_bytes())
    chance = np.random.default_rng(seed)
    content[int(chance.integers(30, len(content)))] ^= 1 << int(chance.integers(8))
    path.write_bytes(content)
    with contextlib.suppress(InputError):
        np.testing.assert_array_equal(read(path).hu, ct.hu, "a bit that means nothing")


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content + b"garbage",
        lambda content: content + b"\x1f\x8b",
        lambda content: content[:-1],
        lambda content: content[:-8] + bytes(8),
        lambda content: content[:-4] + struct.pack("<I", 7),
        lambda content: gzip.compress(gzip.decompress(content) + bytes(100_000)),
        lambda content: gzip.compress(gzip.decompress(content)[:-1]),
    ],
)
def test_the_end_of_a_gzip_file_is_read(tmp_path, ct, change):
    path = write_nifti(ct, tmp_path / "a.nii.gz")
    path.write_bytes(change(path.read_bytes()))
    refusal(path)


def test_gzip_of_several_members_and_padding_is_intact(tmp_path, ct):
    path = write_nifti(ct, tmp_path / "a.nii.gz")
    whole = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(whole[:5000]) + gzip.compress(whole[5000:]) + bytes(512))
    np.testing.assert_array_equal(read(path).hu, ct.hu)


def test_gzip_in_blocks_is_read_block_by_block():
    """As bgzip writes it: what was read ahead grew with every block, and was copied for each of them."""
    block = np.random.default_rng(0).bytes(100_000)
    stream = io.BytesIO(gzip.compress(block, 1) * 60)
    done = 0
    for piece in inflate(stream):
        done += len(piece)
        assert stream.tell() < done + 500_000
    assert done == 60 * len(block)


def test_gzip_in_pieces_without_end_is_damaged(tmp_path, ct, monkeypatch):
    monkeypatch.setattr(stored_values, "MAX_MEMBERS", 50)
    path = write_nifti(ct, tmp_path / "a.nii.gz")
    whole = path.read_bytes()
    path.write_bytes(gzip.compress(b"") * 49 + whole)
    assert read(path).hu.shape == ct.hu.shape
    path.write_bytes(gzip.compress(b"") * 50 + whole)
    with pytest.raises(InputError, match="incomplete or damaged gzip file"):
        read(path)


@pytest.mark.parametrize("wrap", [lambda data: data + b"x", lambda data: data[:-1], lambda data: zlib.compress(data)])
def test_the_end_of_compressed_data_is_read(tmp_path, ct, wrap):
    header, data = metaimage(ct, True)
    (tmp_path / "a.mha").write_bytes(header + wrap(data))
    refusal(tmp_path / "a.mha")


def test_pipes_and_devices_are_not_opened(tmp_path):
    os.mkfifo(tmp_path / "a.nii")
    os.mkfifo(tmp_path / "IM1")
    assert "regular file" in refusal(tmp_path / "a.nii")
    assert "regular file" in refusal("/dev/zero")
    with pytest.raises(InputError, match="empty"):
        find_series(tmp_path)


@pytest.mark.parametrize("name", ["a\0b", "x" * 255, "x" * 500])
def test_names_that_are_none(tmp_path, name):
    with pytest.raises(InputError):
        read(tmp_path / name)


def sequence(depth: int, defined: bool = False) -> bytes:
    """Nested sequences, of undefined or defined length."""
    if not defined:
        return struct.pack("<HHIHHI", 8, 0x1140, 0xFFFFFFFF, 0xFFFE, 0xE000, 0xFFFFFFFF) * depth
    content = b""
    for _ in range(depth):
        content = struct.pack("<HHI", 0xFFFE, 0xE000, len(content)) + content
        content = struct.pack("<HHI", 8, 0x1140, len(content)) + content
    return content


PREAMBLE = bytes(128) + b"DICM"
IMPLICIT_META = struct.pack("<HH2sH18s", 2, 0x10, b"UI", 18, b"1.2.840.10008.1.2\0")


@pytest.mark.parametrize(
    "content",
    [
        sequence(5000),
        sequence(1000, defined=True),
        bytes(8 * (MAX_ELEMENTS + 10)),
        struct.pack("<HHI", 8, 5, 0xFFFFFFF0),
    ],
    ids=["nested", "nested defined", "zeros", "claims"],
)
def test_one_bad_dicom_file_costs_its_own_case(tmp_path, content):
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "IM1").write_bytes(PREAMBLE + IMPLICIT_META + content)
    write_dicom(make_head(n_slices=6, step=20.0, size=32, pixel=7.0), tmp_path / "good")
    write_dicom(make_head(n_slices=6, step=20.0, size=32, pixel=7.0), tmp_path / "other", StudyInstanceUID="1.2.3")
    found = {scan.path.name: scan for scan in find_scans(tmp_path)}
    assert found["good"].problem == "" and found["IM1"].code == "damaged-file"
    refusal(bad / "IM1")
    refusal(bad)


def test_a_damaged_file_in_a_series_is_reported(tmp_path):
    folder = write_dicom(make_head(n_slices=8, step=20.0, size=32, pixel=7.0), tmp_path / "d")
    (folder / "IM9999").write_bytes(PREAMBLE + IMPLICIT_META + sequence(100))
    assert "damaged-files" in {flag.code for flag in read(folder).quality}


def test_folders_that_loop_or_are_deep_cost_their_own_case(tmp_path, ct):
    write_nifti(ct, tmp_path / "good.nii")
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "up").symlink_to(".")
    deep = tmp_path
    for _ in range(80):
        deep = deep / "d"
    deep.mkdir(parents=True)
    found = find_scans(tmp_path)
    assert [scan.path.name for scan in found if not scan.problem] == ["good.nii"]
    problems = [scan for scan in found if scan.problem]
    assert len(problems) == 2 and {scan.code for scan in problems} == {"unreadable"}
    with pytest.raises(InputError):
        find_series(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"Rows": 0},
        {"Rows": 65535, "Columns": 65535},
        {"BitsAllocated": 8},
        {"BitsAllocated": 0},
        {"SamplesPerPixel": 3},
        {"PixelSpacing": [0, 0]},
        {"PixelSpacing": [-1, -1]},
        {"ImageOrientationPatient": [0, 0, 0, 0, 0, 0]},
        {"ImagePositionPatient": [1e300, 0, 0]},
    ],
)
def test_dicom_headers(tmp_path, changes):
    from MidlineShiftLogic.headct import check

    folder = write_dicom(make_head(n_slices=6, step=20.0, size=32, pixel=7.0), tmp_path / "d")
    import pydicom

    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        for name, value in changes.items():
            setattr(dataset, name, value)
        dataset.save_as(path)
    try:
        ct = read(folder)
    except InputError:
        return
    assert any(flag.severity == "fatal" for flag in (*ct.quality, *check(ct)))


def test_odd_pixel_length_and_mislabelled_deflate(tmp_path):
    ct = make_head(n_slices=6, step=20.0, size=32, pixel=7.0)
    dataset = dicom_slice(ct, 3)
    dataset.PixelData = dataset.PixelData[:-3]
    dataset.save_as(tmp_path / "odd.dcm", enforce_file_format=True)
    refusal(tmp_path / "odd.dcm")
    content = dicom_bytes(ct, folder=tmp_path)
    deflated = content.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99", 1)
    (tmp_path / "deflated.dcm").write_bytes(deflated)
    refusal(tmp_path / "deflated.dcm")


def test_a_deflated_data_set_is_loaded(tmp_path):
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    ct = make_head(n_slices=6, step=20.0, size=32, pixel=7.0)
    dataset = dicom_slice(ct, 3)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    np.testing.assert_array_equal(read(tmp_path / "a.dcm").hu[0], ct.hu[3])


def test_compressed_dicom_is_decoded_in_a_child(tmp_path):
    pytest.importorskip("openjpeg")
    ct = make_head(n_slices=6, step=20.0, size=32, pixel=7.0)
    (tmp_path / "a.dcm").write_bytes(dicom_bytes(ct, "1.2.840.10008.1.2.4.90", tmp_path))
    np.testing.assert_array_equal(read(tmp_path / "a.dcm").hu[0], ct.hu[3])


def test_a_fragment_that_claims_other_dimensions_is_not_decoded(tmp_path):
    pytest.importorskip("openjpeg")
    content = dicom_bytes(make_head(n_slices=6, step=20.0, size=32, pixel=7.0), "1.2.840.10008.1.2.4.90", tmp_path)
    mark = content.index(b"\xff\x4f\xff\x51") + 8
    (tmp_path / "a.dcm").write_bytes(content[:mark] + struct.pack(">II", 65535, 65535) + content[mark + 8 :])
    assert "claim" in refusal(tmp_path / "a.dcm")


STRUCK_CHILD = """
import os, signal
import numpy as np
from pathlib import Path
from MidlineShiftLogic.headct import pixel_decoder

fork = os.fork

def struck():
    pid = fork()
    if pid == 0:
        os.kill(os.getpid(), signal.SIGINT)  # as Ctrl-C does, before a line of the child runs
    return pid

os.fork = struck
pixel_decoder.decode_here = lambda file: np.ones((2, 3), np.int16)
try:
    with pixel_decoder.PixelDecoder() as decoder:
        os.write(1, b"decoded %d\\n" % decoder.decode(Path("a.dcm"), 0).sum())
finally:
    os.write(1, b"cleaned up\\n")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the decoder is a fork on Linux only")
def test_ctrl_c_behind_the_fork_runs_no_clean_up_in_the_child():
    done = subprocess.run([sys.executable, "-c", STRUCK_CHILD], capture_output=True, text=True, timeout=300)
    assert done.stdout == "decoded 6\ncleaned up\n", done.stderr


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("os.abort()", "crashed"),
        ("os._exit(1)", "crashed"),
        ("time.sleep(600)", "longer"),
        ("bytearray(1 << 33)", "memory"),
        ("1 / 0", "damaged"),
    ],
)
def test_a_decoder_cannot_end_or_block_the_process(monkeypatch, tmp_path, what, why):
    from MidlineShiftLogic.headct import pixel_decoder

    monkeypatch.setattr(pixel_decoder, "FILE_SECONDS", 1.0 if why == "longer" else 300.0)
    monkeypatch.setattr(pixel_decoder, "decode_here", lambda file: eval(what, {"os": os, "time": __import__("time")}))
    with PixelDecoder() as decoder:
        with pytest.raises(DamagedFile, match=why):
            decoder.decode(tmp_path / "a.dcm", 0)
        monkeypatch.setattr(pixel_decoder, "FILE_SECONDS", 300.0)
        monkeypatch.setattr(pixel_decoder, "decode_here", lambda file: np.zeros((2, 3), np.int16))
        if why in ("crashed", "longer"):
            assert decoder.decode(tmp_path / "b.dcm", 0).shape == (2, 3), "the next file gets a new child"


@pytest.mark.parametrize(
    "content",
    [
        b"\x93NUMPY\x01\0\x10\0{'descr': '<i2'}",
        b"\x93NUMPY\x01\0\xff\xff" + b"(" * 500,
        b"\x93NUMPY\x01\0\x46\0{'descr': '<i2', 'fortran_order': False, 'shape': (9999999999, 8, 8)} \n",
        b"\x93NUMPY\x01\0\x46\0{'descr': '<i2', 'fortran_order': False, 'shape': (-1, 8, 8)}         \n" + bytes(999),
        b"\x93NUMPY\x09\0\x10\0" + bytes(100),
        b"\x93NUMPY",
    ],
)
def test_npy_headers(tmp_path, content):
    (tmp_path / "a.npy").write_bytes(content)
    refusal(tmp_path / "a.npy", SPACING)


def test_npz_that_claims_much(tmp_path):
    import io
    import zipfile

    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (4000, 4000, 4000)})
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("notes", "hu", "origins", "column_axis", "row_axis", "pixel_spacing", "thickness"):
            archive.writestr(f"{name}.npy", header.getvalue() + bytes(5_000_000))
    refusal(tmp_path / "a.npz")
