"""A bundle runs by MONAI's own command and gives the millimetres of ``measure``; its files are what MONAI asks for."""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from click.testing import CliRunner

from midlineshift_training.cli.main import main
from midlineshift_training.export.bundle_scripts.network import load_network
from midlineshift_training.export.monai_bundle import PROGRAM, write_bundle
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct import read
from MidlineShiftLogic.models import load_model
from MidlineShiftLogic.reporting.measurement_json import from_json

ROOT = Path(__file__).parents[3]
SAMPLES = ROOT / "Resources" / "SampleScans"
TENSOR = {
    "type": "object",
    "required": ["type", "format", "num_channels", "spatial_shape", "dtype", "value_range"],
    "properties": {
        "num_channels": {"type": "integer"},
        "spatial_shape": {"type": "array", "items": {"type": ["string", "integer"]}},
        "value_range": {"type": "array", "items": {"type": "number"}},
        "is_patch_data": {"type": "boolean"},
        "channel_def": {"type": "object"},
    },
}
TEXTS = (
    "schema", "version", "monai_version", "pytorch_version", "numpy_version", "task", "description", "authors", "copyright",
)  # fmt: skip
MORE_TEXTS = ("data_source", "data_type", "image_classes", "label_classes", "pred_classes", "intended_use")
# What MONAI's published schema (of 2024-07-25) asks for; it is on the network, tests are not.
METADATA = {
    "type": "object",
    "required": [*TEXTS, "required_packages_version", "network_data_format"],
    "properties": {
        **{name: {"type": "string"} for name in (*TEXTS, *MORE_TEXTS)},
        "changelog": {"type": "object"},
        "required_packages_version": {"type": "object"},
        "eval_metrics": {"type": "object"},
        "supported_apps": {"type": "object"},
        "references": {"type": "array", "items": {"type": "string"}},
        "network_data_format": {
            "type": "object",
            "required": ["inputs", "outputs"],
            "properties": {part: {"type": "object", "additionalProperties": TENSOR} for part in ("inputs", "outputs")},
        },
    },
}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="No complete tensor found")  # nothing for users to worry about
        return write_bundle(tmp_path_factory.mktemp("bundles") / "bundle", "midlineshift")


def monai(bundle, *arguments):
    """Run MONAI's command in the bundle's folder."""
    paths = [str(ROOT), str(ROOT / "training"), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-m", "monai.bundle", *map(str, arguments)],
        cwd=bundle,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_bundle_measures_what_measure_does(bundle, tmp_path):
    from MidlineShiftLogic.api import measure

    monai(
        bundle, "run", "--config_file", "configs/inference.json", "--logging_file", "configs/logging.conf",
        "--dataset_dir", SAMPLES, "--output_dir", tmp_path, "--device", "cpu",
    )  # fmt: skip
    for name in ("sample_shifted", "sample_unshifted"):
        wanted = measure(SAMPLES / f"{name}.nii.gz", "midlineshift", "cpu")
        found = from_json((tmp_path / name / "measurement.json").read_text(encoding="utf-8"))
        assert found.signed_shift_mm == pytest.approx(wanted.signed_shift_mm, abs=0.01)
        assert [one.index for one in found.slices] == [one.index for one in wanted.slices]

    ct = read(SAMPLES / "sample_shifted.nii.gz")
    scan = nibabel.load(SAMPLES / "sample_shifted.nii.gz")
    warped, displacement = (
        nibabel.load(tmp_path / "sample_shifted" / f"{n}.nii.gz") for n in ("warped", "displacement")
    )
    assert warped.shape == ct.hu.shape[::-1] and displacement.shape == (*warped.shape, 1, 3)
    # the same place in the patient as in the scan, however its axes are stored
    middle = np.linalg.inv(warped.affine) @ scan.affine @ [*(np.array(scan.shape) // 2), 1]
    index = tuple(np.rint(middle[:3]).astype(int))
    assert middle[:3] == pytest.approx(index, abs=1e-3)
    # tissue is pushed to the patient's left, so it goes back to the right: L components are negative
    lateral = displacement.get_fdata()[..., 0, 0]
    assert lateral.min() < -5 and abs(lateral.min()) > 2 * lateral.max()
    assert np.abs(displacement.get_fdata()[..., 0, 2]).max() < 0.5 * abs(lateral.min())


@pytest.mark.filterwarnings("ignore:No hash value provided")
def test_monais_command_verifies_the_metadata_with_a_schema_at_hand(bundle, tmp_path):
    from monai.bundle import verify_metadata

    file, schema = bundle / "configs" / "metadata.json", tmp_path / "schema.json"
    schema.write_text(json.dumps(METADATA), encoding="utf-8")
    verify_metadata(meta_file=str(file), filepath=str(schema))
    metadata = json.loads(file.read_text(encoding="utf-8"))
    broken = tmp_path / "broken.json"
    broken.write_text(json.dumps(metadata | {"references": "one"}), encoding="utf-8")
    with pytest.raises(ValueError, match="Failed validating"):
        verify_metadata(meta_file=str(broken), filepath=str(schema))


def test_the_metadata_say_what_the_network_gives(bundle):
    metadata = json.loads((bundle / "configs" / "metadata.json").read_text(encoding="utf-8"))
    assert "not a medical device" in metadata["description"].lower()
    assert metadata["data_source"] == load_model("midlineshift").description.trained_on
    shape = metadata["network_data_format"]["inputs"]["image"]
    x = torch.rand(3, shape["num_channels"], *shape["spatial_shape"]) * 2 - 1
    with torch.no_grad():
        field = load_network(bundle / "models")(x)
    assert list(field.shape) == [3, 2, *metadata["network_data_format"]["outputs"]["pred"]["spatial_shape"]]
    program = torch.export.load(bundle / "models" / PROGRAM).module()
    assert torch.allclose(program(x), field, atol=1e-4)


def test_the_bundle_has_the_files_of_a_bundle(bundle):
    for name in (
        "configs/inference.json",
        "configs/logging.conf",
        str(Path("docs", "README.md")),
        "models/model.json",
        "scripts/__init__.py",
    ):
        assert (bundle / name).is_file(), name
    assert not list(bundle.rglob("__pycache__"))
    assert list((bundle / "models").glob("*.safetensors"))


def test_a_folder_that_exists_is_kept(bundle, tmp_path):
    with pytest.raises(InputError, match="already exists"):
        write_bundle(bundle, "midlineshift")
    for arguments in (
        ["--model", "midlineshift"],
        ["--model", "m", "--out", str(tmp_path / "x"), "--monai-bundle", "b"],
        [],
    ):
        done = CliRunner().invoke(main, ["export", *arguments])
        assert done.exit_code == 2 and "Traceback" not in done.output
    assert (
        CliRunner().invoke(main, ["export", "--model", "absent", "--monai-bundle", str(tmp_path / "b")]).exit_code == 2
    )
    assert not list(tmp_path.iterdir())
