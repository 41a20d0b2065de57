"""Labels come out of pickles as they went in; a pickle that would run anything is refused before it does."""

import builtins
import collections
import io
import os
import pickle
import pickletools
import struct

import numpy as np
import pytest

from midlineshift_training.datasets.annotated.safe_pickle import load_plain
from MidlineShiftLogic.errors import InputError


def write(tmp_path, content: bytes):
    path = tmp_path / "set.pkl"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("protocol", range(6))
def test_what_the_authors_store_comes_back(tmp_path, protocol):
    records = {
        "a": [
            "x.npy",
            1,
            {11: np.array([[1.5, 2], [3, 4], [5, 6], [7, 8]]), np.int64(3): np.ones((4, 2), np.float32)},
            14.7,
        ],
        "b": ("y.npy", 0, {}, np.float64(0.25)),
        "c": ["z.npy", True, {2: np.asfortranarray(np.arange(8).reshape(4, 2))}, None],
        "d": collections.OrderedDict(k=np.array([1, 2], ">i2")),
    }
    found = load_plain(write(tmp_path, pickle.dumps(records, protocol)))
    assert found.keys() == records.keys()
    assert found["a"][0] == "x.npy" and found["a"][3] == 14.7
    assert list(found["a"][2]) == [11, 3]
    for key, points in records["a"][2].items():
        assert np.array_equal(found["a"][2][key], points) and found["a"][2][key].dtype == points.dtype
    assert found["b"] == ("y.npy", 0, {}, 0.25)
    assert np.array_equal(found["c"][2][2], records["c"][2][2]) and found["c"][1] is True
    assert found["d"]["k"].tolist() == [1, 2]


class Calls:
    """Pickles to a call of anything."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class Sets:
    """Pickles to an allowed call, then a state of one's own."""

    def __init__(self, function, arguments, state):
        self.parts = function, arguments, state

    def __reduce__(self):
        return self.parts


def unsafe(mark):
    multiarray = pytest.importorskip("numpy._core.multiarray")
    forged = (3, "|", None, ("f0",), {"f0": (np.dtype("O"), 0)}, 8, 8, 0)
    return {
        "system": Calls(os.system, f"touch {mark}"),
        "eval": Calls(builtins.eval, f"open({str(mark)!r}, 'w')"),
        "exec": Calls(builtins.exec, f"open({str(mark)!r}, 'w')"),
        "getattr": Calls(builtins.getattr, "text", "upper"),
        "open": Calls(io.open, str(mark), "w"),
        "numpy load": Calls(np.load, str(mark)),
        "nested": Calls(pickle.loads, pickle.dumps(Calls(os.system, f"touch {mark}"))),
        "objects": np.array([Calls(os.system, f"touch {mark}")], dtype=object),
        "object scalar": Calls(multiarray.scalar, np.dtype("O"), b"x"),
        "forged type": Sets(np.dtype, ("V8",), forged),
        "forged fields": Sets(np.dtype, ("f8",), forged),
        "text array": np.array(["text"]),
    }


@pytest.mark.parametrize("name", unsafe("x"))
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_anything_that_runs_is_refused(tmp_path, name, protocol):
    mark = tmp_path / "mark"
    path = write(tmp_path, pickle.dumps({"a": [unsafe(mark)[name]]}, protocol))
    with pytest.raises(InputError, match="refused") as caught:
        load_plain(path)
    assert not mark.exists()
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


def test_a_hand_made_program_is_refused(tmp_path):
    mark = tmp_path / "mark"
    program = b"cos\nsystem\n(Vtouch " + str(mark).encode() + b"\ntR."
    assert "os system" in {arg for _, arg, _ in pickletools.genops(program)}
    with pytest.raises(InputError, match=r"os\.system|posix\.system"):
        load_plain(write(tmp_path, program))
    assert not mark.exists()


@pytest.mark.parametrize(
    "name", ["numpy.core.multiarray fromfile", "numpy loadtxt", "builtins __import__", "copyreg _reconstructor"]
)
def test_only_listed_names_are_known(tmp_path, name):
    module, attribute = name.split()
    with pytest.raises(InputError, match="refused"):
        load_plain(write(tmp_path, f"c{module}\n{attribute}\n.".encode()))


def test_objects_by_reference_are_refused(tmp_path):
    with pytest.raises(InputError, match="outside the file"):
        load_plain(write(tmp_path, b"Psomewhere\n."))


def test_an_array_that_claims_more_than_it_holds(tmp_path):
    content = pickle.dumps(np.zeros((4, 2)), 2)
    changed = content.replace(b"K\x04K\x02\x86", b"J" + struct.pack("<i", 1 << 28) + b"K\x02\x86")
    assert changed != content
    with pytest.raises(InputError, match="damaged"):
        load_plain(write(tmp_path, changed))


@pytest.mark.parametrize("content", [b"", b"text", pickle.dumps({"a": 1})[:-4]])
def test_damaged_files(tmp_path, content):
    with pytest.raises(InputError, match="damaged"):
        load_plain(write(tmp_path, content))


def test_no_such_file(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        load_plain(tmp_path / "none.pkl")


def nested(levels, kind=tuple):
    """Containers that each hold the next one twice: small in the file, exponential where parts are not recognised."""
    value = kind([1, 2])
    for _ in range(levels):
        value = kind([value, value])
    return value


def long_put(index):
    return b"\x80\x02]r" + struct.pack("<I", index) + b"."


BOMBS = {
    "shared tuples": pickle.dumps(nested(30)),
    "shared lists": pickle.dumps(nested(30, list)),
    "key of shared tuples": b"\x80\x02}" + pickle.dumps(nested(30), 2)[2:-1] + b"K\x01s.",
    "set of shared tuples": b"\x80\x04\x8f(" + pickle.dumps(nested(30), 2)[2:-1] + b"\x90.",
    "frozenset of shared tuples": b"\x80\x04(" + pickle.dumps(nested(30), 2)[2:-1] + b"\x91.",
    "text of shared tuples": pickle.dumps(Calls(str, nested(30))),
    "dict of shared tuples": pickle.dumps(Calls(dict, [(nested(30), 1)])),
    "set call": pickle.dumps(Calls(set, [nested(30)])),
    "deep list": b"(l" * 100_000 + b"a" * 99_999 + b".",
    "steps": b"\x80\x02" + b"K\x010" * 3_000_000 + b"N.",
    "itself": b"\x80\x02]q\x00h\x00a.",
    "state of a function": b"cbuiltins\nstr\n}Vx\nK\x01sb.",
    "bytes": b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b"x.",
    "number": pickle.dumps(Calls(int, "9" * 200_000)),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused(tmp_path, name):
    """Each would take minutes to for ever, or gigabytes, without limits."""
    with pytest.raises(InputError):
        load_plain(write(tmp_path, BOMBS[name]))


def test_a_large_memo_index_costs_nothing(tmp_path):
    assert load_plain(write(tmp_path, long_put((1 << 32) - 1))) == []
