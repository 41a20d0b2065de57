"""The digest covers all data of a run, and every kind of data is known for what it is."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from drawn_phantoms import draw_cohort, draw_phantom
from landmark_sets import write_authors_layout

from midlineshift_training.datasets import sources
from midlineshift_training.datasets.sources import (
    ANNOTATED,
    PHANTOMS,
    UNLABELLED,
    DataSource,
    describe_sources,
    digest,
    recorded_sources,
    same_data,
    sources_of,
)
from midlineshift_training.trainers.processes import Processes
from midlineshift_training.trainers.run_folder.provenance import read_provenance, record_session
from MidlineShiftLogic.errors import InputError


@pytest.fixture
def table(tmp_path):
    return write_authors_layout(tmp_path / "set", cases=2)


def changed(path):
    """Turn one bit of a file."""
    contents = bytearray(path.read_bytes())
    contents[-3] ^= 1
    path.write_bytes(contents)


def test_the_digest_of_a_table_covers_its_scans(table, tmp_path):
    before = digest(table)
    assert before["files"] == 3
    moved = table.parent.rename(tmp_path / "elsewhere")
    assert digest(moved / table.name)["sha256"] == before["sha256"]
    changed(next(moved.rglob("*.npy")))
    after = digest(moved / table.name)
    assert not same_data(before, after) and after["table_sha256"] == before["table_sha256"]


def test_a_run_with_a_table_is_not_resumed_with_changed_scans(table, tmp_path):
    record_session(tmp_path, [str(table)], Processes(), 0)
    record_session(tmp_path, [str(table)], Processes(), 3)
    assert [one["step"] for one in read_provenance(tmp_path)["sessions"]] == [0, 3]
    assert read_provenance(tmp_path)["data"][0]["sources"] == [asdict(DataSource(ANNOTATED, 2))]
    changed(next(table.parent.rglob("*.npy")))
    with pytest.raises(InputError, match="are not those that") as refused:
        record_session(tmp_path, [str(table)], Processes(), 6)
    assert refused.value.code == "data-changed"


def test_the_record_of_an_older_run_is_compared_by_the_table(table):
    now = digest(table)
    older = {"path": str(table), "files": 1, "sha256": now["table_sha256"]}
    assert same_data(older, now)
    assert not same_data(older | {"sha256": "0" * 64}, now)


def test_unfinished_and_hidden_files_do_not_count(tmp_path):
    folder = draw_cohort(tmp_path / "phantoms", 2)
    before = digest(folder)
    (folder / "00002.part").write_bytes(b"unfinished")
    (folder / ".hidden").write_bytes(b"hidden")
    assert digest(folder) == before


def test_each_kind_of_data_is_known(table, tmp_path):
    folder = draw_cohort(tmp_path / "phantoms", 3)
    assert sources_of(folder) == [DataSource(PHANTOMS, 3)]
    assert sources_of(table)[0].kind == ANNOTATED
    with np.load(folder / "00001.npz") as archive:
        entries = dict(archive)
    meta = json.dumps({"scan": "a", "source": "Collection 1", "source_licence": "CC0"})
    np.savez(folder / "00001.npz", **entries | {"pseudo": np.array(True), "meta": np.array(meta)})
    found = {one.kind: one for one in sources_of(folder)}
    assert found[UNLABELLED] == DataSource(UNLABELLED, 1, "Collection 1", "CC0")
    assert found[PHANTOMS].cases == 2
    text = describe_sources(found.values())
    assert (
        text == "synthetic phantoms (2 cases); unshifted real scans without annotations of Collection 1 (1 case, CC0)"
    )
    assert describe_sources([found[PHANTOMS]]).endswith("no patient data")


def test_data_that_do_not_say_what_they_are_are_not_guessed(tmp_path):
    draw_phantom(tmp_path / "00000.npz", 0)
    with np.load(tmp_path / "00000.npz") as archive:
        entries = {name: archive[name] for name in archive.files if name != "meta"}
    np.savez(tmp_path / "00000.npz", **entries)
    with pytest.raises(InputError, match="does not record whether it is a phantom"):
        sources_of(tmp_path)
    assert recorded_sources(tmp_path) is None
    with pytest.raises(InputError, match="recorded nowhere"):
        describe_sources([])


def test_converted_sets_name_their_collection(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "is_set", lambda _: True)
    manifest = {"made_from": "scans", "cases": [{}, {}], "source": {"name": "Our hospital"}}
    monkeypatch.setattr(sources, "read_manifest", lambda _: manifest)
    assert sources_of(tmp_path) == [DataSource(ANNOTATED, 2, "Our hospital")]
    monkeypatch.setattr(sources, "read_manifest", lambda _: manifest | {"made_from": "phantoms", "source": {}})
    assert sources_of(tmp_path)[0].kind == PHANTOMS
