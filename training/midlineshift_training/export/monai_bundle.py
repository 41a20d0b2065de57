"""A MONAI bundle of a model: ``python -m monai.bundle run`` measures with it what ``midlineshift measure`` measures.

The layout is that of MONAI's bundle specification: ``configs/`` with metadata and workflow, ``models/`` with the weights
(the model folder as it is, and the deformation network as an exported program), ``scripts/`` and a README in ``docs/``.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy
import torch

from midlineshift_training.export import bundle_scripts
from midlineshift_training.export.bundle_scripts.network import DisplacementNetwork, load_network
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.models import Model, load_model
from MidlineShiftLogic.models.folder import find_model
from MidlineShiftLogic.networks.midline_unet import MidlineUNet
from MidlineShiftLogic.software import package_version
from MidlineShiftLogic.unfinished import unfinished_folder

SCHEMA = "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20240725.json"
PROGRAM = "deformation.pt2"
PAPER = (
    "Gong et al., Diffusion Model based Semi-supervised Learning on Brain Hemorrhage Images for Efficient Midline Shift "
    "Quantification, IPMI 2023, arXiv 2301.00409"
)
RESEARCH = "Research use only. Not a medical device."

INFERENCE: dict[str, Any] = {
    "imports": ["$import glob", "$import torch"],
    "bundle_root": ".",
    "dataset_dir": "$@bundle_root + '/data'",
    "datalist": "$sorted(glob.glob(@dataset_dir + '/*.nii*'))",
    "output_dir": "$@bundle_root + '/eval'",
    "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
    "network_def": {"_target_": "scripts.load_network", "folder": "$@bundle_root + '/models'"},
    "network": "$@network_def.to(@device)",
    "preprocessing": {"_target_": "Compose", "transforms": [{"_target_": "scripts.LoadHeadCTd", "keys": "image"}]},
    "dataset": {
        "_target_": "Dataset",
        "data": "$[{'image': path} for path in @datalist]",
        "transform": "@preprocessing",
    },
    "inferer": {
        "_target_": "scripts.MidlineShiftInferer",
        "folder": "$@bundle_root + '/models'",
        "device": "@device",
    },
    "postprocessing": {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "scripts.SaveMeasurementd", "keys": "result", "output_dir": "@output_dir"},
            {"_target_": "scripts.SaveVolumesd", "keys": "result", "output_dir": "@output_dir"},
        ],
    },
    "evaluator": {
        "_target_": "scripts.MidlineShiftEvaluator",
        "dataset": "@dataset",
        "inferer": "@inferer",
        "postprocessing": "@postprocessing",
    },
    "run": ["$@evaluator.run()"],
}
LOGGING = """\
[loggers]
keys=root

[handlers]
keys=consoleHandler

[formatters]
keys=fullFormatter

[logger_root]
level=INFO
handlers=consoleHandler

[handler_consoleHandler]
class=StreamHandler
level=INFO
formatter=fullFormatter
args=(sys.stdout,)

[formatter_fullFormatter]
format=%(asctime)s - %(name)s - %(levelname)s - %(message)s
"""


def write_bundle(folder: Path, name_or_folder: str | Path | None = None) -> Path:
    """Write a MONAI bundle of a model; it appears under its name only when it is complete.

    Args:
        folder: of the bundle; must not exist yet.
        name_or_folder: model to bundle; None: the default model.

    Returns:
        The folder.

    Raises:
        InputError: the folder exists or cannot be written, or the model cannot be loaded.
    """
    if folder.exists():
        raise InputError(f"{folder} already exists; choose another folder for the bundle.", "exists")
    model, source = load_model(name_or_folder), find_model(name_or_folder)
    with contextlib.ExitStack() as stack:
        try:
            partial = stack.enter_context(unfinished_folder(folder))
        except OSError as error:
            raise InputError(f"The bundle {folder} cannot be written ({error.strerror}).", "out") from None
        _fill(partial, model, source)
        partial.chmod(0o755)  # it was private
        partial.rename(folder)
    return folder


def _fill(folder: Path, model: Model, source: Path) -> None:
    for name in ("configs", "docs"):
        (folder / name).mkdir()
    shutil.copytree(source, folder / "models")
    scripts = Path(bundle_scripts.__file__).parent
    shutil.copytree(scripts, folder / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    network = load_network(folder / "models")
    shape = _input_shape(model)
    _export_program(network, shape, folder / "models" / PROGRAM)
    _write_json(folder / "configs" / "metadata.json", metadata(model, network, shape))
    _write_json(folder / "configs" / "inference.json", INFERENCE)
    (folder / "configs" / "logging.conf").write_text(LOGGING, encoding="utf-8")
    (folder / "docs" / "README.md").write_text(readme(model), encoding="utf-8")


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=4, ensure_ascii=False) + "\n", encoding="utf-8")


def _input_shape(model: Model) -> tuple[int, int, int]:
    """Return channels and sides of the deformation network's input."""
    network = model.network("deformation")
    upsampling = network.upsampling if isinstance(network, MidlineUNet) else 1
    side = model.frame["grid"] * upsampling
    return network.config["in_channels"], side, side


def _export_program(network: DisplacementNetwork, shape: tuple[int, int, int], path: Path) -> None:
    """Save the network as a program that needs no code of ours (``torch.export.load``), for any number of slices."""
    slices = torch.export.Dim("slices", min=1, max=1024)
    program = torch.export.export(network, (torch.zeros(2, *shape),), dynamic_shapes={"x": {0: slices}})
    with warnings.catch_warnings():
        # about weights on a GPU; these are on the CPU
        warnings.filterwarnings("ignore", message="No complete tensor found")
        torch.export.save(program, path)


def metadata(model: Model, network: DisplacementNetwork, shape: tuple[int, int, int]) -> dict[str, Any]:
    """Return ``configs/metadata.json``, valid against MONAI's schema.

    Args:
        model: of the bundle. network: its deformation network. shape: channels and sides of its input.
    """
    described = model.description
    with torch.no_grad():
        field = network(torch.zeros(1, *shape))
    channels = ["brain window", "wide window", "noise difference"]
    if not isinstance(network.network, MidlineUNet):
        channels = ["brain window", "noise difference"]
    return {
        "schema": SCHEMA,
        "version": described.version,
        "changelog": {described.version: "exported by midlineshift-train"},
        "monai_version": package_version("monai"),
        "pytorch_version": str(torch.__version__).partition("+")[0],
        "numpy_version": numpy.__version__,
        "required_packages_version": {
            name: package_version(name) for name in ("midlineshift", "nibabel", "scipy", "safetensors")
        },
        "name": described.name,
        "task": "Brain midline shift in millimetres on non-contrast head CT",
        "description": f"{described.description} {RESEARCH}",
        "authors": "The authors of midlineshift",
        "copyright": f"Weights: {described.licence}",
        "data_source": described.trained_on,
        "data_type": "nibabel",
        "image_classes": "slices of the head in the aligned frame, windowed to -1..1",
        "pred_classes": "displacement to the unshifted head along rows and columns, in points of the aligned frame",
        "eval_metrics": described.accuracy,
        "intended_use": f"{RESEARCH} Not for diagnosis, triage or treatment.",
        "references": [PAPER],
        "network_data_format": {
            "inputs": {
                "image": {
                    "type": "image",
                    "format": "hounsfield",
                    "modality": "CT",
                    "num_channels": shape[0],
                    "spatial_shape": list(shape[1:]),
                    "dtype": "float32",
                    "value_range": [-1, 1],
                    "is_patch_data": False,
                    "channel_def": {str(number): name for number, name in enumerate(channels[: shape[0]])},
                }
            },
            "outputs": {
                "pred": {
                    "type": "image",
                    "format": "displacement",
                    "num_channels": 2,
                    "spatial_shape": list(field.shape[2:]),
                    "dtype": "float32",
                    "value_range": [],
                    "is_patch_data": False,
                    "channel_def": {"0": "along rows", "1": "along columns"},
                }
            },
        },
    }


def readme(model: Model) -> str:
    """Return the text of the README."""
    described = model.description
    return f"""\
# {described.name} {described.version}

{RESEARCH} {described.description}

Trained on {described.trained_on.rstrip(".")}. Licence of the weights: {described.licence}.

## Measure

```sh
python -m pip install midlineshift 'monai>=1.6' fire
python -m monai.bundle run --config_file configs/inference.json --dataset_dir /path/to/scans
```

Run it in this folder. `--dataset_dir` is a folder of NIfTI files in Hounsfield units; `--datalist "['a.nii.gz']"` names
files instead, `--output_dir` the folder of results (`eval/` by default), `--device cpu` the device.

| result, in a folder a case | what it is |
|---|---|
| `measurement.json` | shift in mm with its side, interval and warnings; landmarks and midlines of every slice, LPS mm |
| `displacement.nii.gz` | displacement in mm from where tissue is to where it would be, along L, P and S (ITK's convention) |
| `warped.nii.gz` | the scan warped back to normal, HU |

The numbers are those of `midlineshift measure`. A scan that must not be measured is refused: `measurement.json` says why.

## Networks

`models/` is a model folder of midlineshift: `model.json` and safetensors of every network. `models/{PROGRAM}` is the
deformation network as an exported program (`torch.export.load`), which needs no code of this bundle; its input and output
are in `configs/metadata.json`.

## Check

```sh
python -m monai.bundle verify_net_in_out network_def --meta_file configs/metadata.json --config_file configs/inference.json
python -m monai.bundle verify_metadata --meta_file configs/metadata.json --filepath schema.json
```

The second needs the package jsonschema; it downloads MONAI's schema to `schema.json`, or takes it from there.

## Reference

{PAPER}.
"""
