"""The commands of docs/how-to/train-on-your-scans.md, run as they stand there, on synthetic scans and with tiny networks."""

import importlib
import json
import pickle
import re
import shlex
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from landmark_sets import authors_record, landmark_row, write_table
from make_scans import write_dicom, write_nifti

from midlineshift_training.cli.main import main as train_main
from MidlineShiftLogic import measure
from MidlineShiftLogic.cli.main import cli
from MidlineShiftLogic.headct import read
from MidlineShiftLogic.measurement.results import LANDMARK_NAMES

ROOT = Path(__file__).parents[3]
SAMPLES = ROOT / "Resources" / "SampleScans"
NETWORK = {"base_channels": 32, "channel_multipliers": [1, 1], "residual_blocks": 1, "attention_resolutions": [16]}
TINY = {
    "batch": 2,
    "max_steps": 2,
    "check_every": 2,
    "precision": "32-true",
    "pictures_every": 0,
    "heights_mm": [5.0, 15.0],
}
SMALLER = {
    "diffusion": TINY | {"grid": 32, "network": NETWORK | {"head_channels": 32}, "validation_batches": 1},
    "deformation": TINY | {"grid": 64, "pixel_mm": 3.6, "noise": {"grid": 32}, "ddim": {"start": 1}},
}
FEWER = {"evaluate": ["--robustness-cases", "0", "--warps-per-case", "1"]}
"""Altered scans are measured by test_evaluation.py."""


def commands() -> list[list[str]]:
    """Every command of the page's ``sh`` blocks, in order."""
    text = (ROOT / "docs" / "how-to" / "train-on-your-scans.md").read_text(encoding="utf-8")
    lines = "".join(re.findall(r"```sh\n(.*?)```", text, re.S)).replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines if line.strip()]


def test_the_page_goes_all_the_way():
    assert [words[1] for words in commands()] == [
        "convert", "convert", "diffusion", "diffusion", "deformation", "export", "evaluate", "measure",
    ]  # fmt: skip


def sample(name):
    """A shipped synthetic scan, and the landmarks that the shipped model finds in it, px by slice."""
    ct = read(SAMPLES / f"{name}.nii.gz")
    found = measure(ct, device="cpu")
    points = {one.index: np.stack([one.landmarks_px[name] for name in LANDMARK_NAMES]) for one in found.slices}
    return ct, points


def mirrored(ct, points):
    """The head in a mirror: another patient, shifted to the other side."""
    flipped = {index: np.stack([ct.hu.shape[2] - 1 - one[:, 0], one[:, 1]], -1) for index, one in points.items()}
    return replace(ct, hu=ct.hu[:, :, ::-1].copy()), flipped


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A folder with what the page starts from: DICOM and NIfTI scans with tables, and the authors' layout."""
    monkeypatch.chdir(tmp_path)
    heads = {name: sample(f"sample_{name}") for name in ("shifted", "unshifted")}
    Path("scans").mkdir()
    Path("datasets/images").mkdir(parents=True)
    labelled, cases, records = [], [], {}
    rng = np.random.default_rng(0)
    for number in range(6):
        shifted = number % 2 == 0
        ct, points = heads["shifted" if shifted else "unshifted"]
        if number // 2 % 2:
            ct, points = mirrored(ct, points)
        ct = replace(ct, hu=ct.hu + rng.normal(0, 2, ct.hu.shape).astype(np.float32))
        name = f"case_{number + 1:03d}"
        if number == 0:
            write_dicom(ct, Path("scans") / name, PatientID="A")
        else:
            write_nifti(ct, Path("scans") / f"{name}.nii.gz")
        kept = dict(list(points.items())[2:4]) if shifted else {}
        labelled += [landmark_row(name, index, one) for index, one in kept.items()]
        cases.append({"case": name, "patient": name if number else "", "mls": int(shifted), "shift_mm": ""})
        if number < 2:
            np.save(f"datasets/images/{name}.npy", ct.hu.astype(np.int16))
            records[name] = authors_record(f"images/{name}.npy", kept, shifted)
    write_table(Path("landmarks.csv"), labelled)
    write_table(Path("cases.csv"), cases)
    Path("datasets/data.pkl").write_bytes(pickle.dumps(records))
    for name, settings in SMALLER.items():
        Path(f"{name}.yaml").write_text(yaml.safe_dump(settings))
    return tmp_path


@pytest.mark.slow
def test_the_commands_of_the_page(workplace, monkeypatch):
    for program, command, *arguments in commands():
        tiny = ["--config", f"{command}.yaml"] if command in SMALLER else FEWER.get(command, [])
        main = {"midlineshift-train": train_main, "midlineshift": cli}[program]
        result = CliRunner().invoke(main, [command, *arguments, *tiny])
        assert result.exit_code == 0, (command, result.output, result.exception)
    content = json.loads(Path("my-set/set.json").read_text())
    assert len(content["cases"]) == 6 and all(case["pose"] for case in content["cases"])
    assert {case["split"] for case in content["cases"]} == {"train", "validation", "test"}
    assert len(json.loads(Path("their-set/set.json").read_text())["cases"]) == 2
    evaluation = json.loads(Path("evaluation/evaluation.json").read_text())
    numbers = evaluation["sets"]["labelled set"]
    assert numbers["cases"] == 2 and numbers["refused"] == 0
    measured = json.loads(Path("results/case_001/measurement.json").read_text())
    assert measured["model"]["name"] == "my-model" and measured["refused"] is None
    in_panel = measured_in_the_panel(workplace / "my-model", monkeypatch)
    assert in_panel.model["name"] == "my-model" and len(in_panel.slices) > 3


def measured_in_the_panel(model: Path, monkeypatch):
    """What the panel shows of the sample scan after its user chose the model's folder and pressed Measure."""
    pytest.importorskip("PySide6")
    monkeypatch.syspath_prepend(ROOT / "MidlineShift")
    monkeypatch.syspath_prepend(ROOT / "Testing" / "panel")
    from host.application import Host

    host = Host(model.parent)
    try:
        host.load_module(ROOT / "MidlineShift" / "MidlineShift.py")
        dialogs = importlib.import_module("MidlineShiftLib.services.dialogs").SlicerDialogs
        monkeypatch.setattr(dialogs, "chooseFolder", lambda self, title: str(model))
        ui, panel = host.widget.ui, host.widget.panel.session
        for button in (ui.loadSampleButton, ui.modelFolderButton, ui.measureButton):
            assert button.enabled, button.toolTip
            button.click()
        assert ui.modelSelector.currentText.startswith("my-model")
        end = time.monotonic() + 1200
        while panel.state.value != "idle" and time.monotonic() < end:
            host.process()
            time.sleep(0.02)
        assert panel.editor.measurement is not None, ui.statusLabel.text
        return panel.editor.measurement
    finally:
        host.close()
