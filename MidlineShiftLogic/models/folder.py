"""Load and save model folders: ``model.json`` (``description``) and one safetensors file a component."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.models.description import COMPONENTS, Component, ModelDescription, parse_description
from MidlineShiftLogic.models.empty_init import empty_init
from MidlineShiftLogic.models.locate import MODEL_WITH_DENOISERS, find_model
from MidlineShiftLogic.models.registry import build_network, kind_of
from MidlineShiftLogic.models.weights import fill, read_weights, sha256, write_weights
from MidlineShiftLogic.unfinished import remove_stale, unfinished_folder, unfinished_name

if TYPE_CHECKING:
    from MidlineShiftLogic.networks.diffusion import DenoiserPair

WINDOWS = 2
"""Input channels of our deformation network without the noise difference: the brain window and the wide one."""


@dataclass
class Model:
    """A model folder that was checked to be whole; its networks are built when first asked for.

    Attributes:
        description: contents of ``model.json``.
        folder: where it is.
        device: torch device of the networks.
    """

    description: ModelDescription
    folder: Path
    device: str = "cpu"
    _networks: dict[str, nn.Module] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.description.name

    @property
    def frame(self) -> dict[str, Any]:
        """Aligned frame of the slices: ``grid`` (px), ``pixel_mm``, ``length_mm``."""
        return self.description.frame

    @property
    def noise(self) -> dict[str, Any]:
        """Settings of the noise difference; empty without diffusion models."""
        return self.description.noise or {}

    @property
    def readout(self) -> dict[str, Any]:
        """Parameters of the shift computation, by name."""
        return self.description.readout

    @property
    def uncertainty(self) -> dict[str, Any] | None:
        """Calibration of the intervals; None without one."""
        return self.description.uncertainty

    @property
    def has_denoisers(self) -> bool:
        """Return whether the model has both diffusion models, as two networks or as one."""
        return self.class_conditional or {"conditional", "unconditional"} <= self.description.components.keys()

    @property
    def uses_noise_difference(self) -> bool:
        """True if the deformation network is given the noise difference of the diffusion models.

        A model may have them for the pseudo-healthy image alone: then its network takes the two windows of a slice only.
        """
        deformation = self.description.components.get("deformation")
        by_windows = (
            deformation is not None
            and deformation.kind == "midline_unet"
            and deformation.config.get("in_channels") == WINDOWS
        )
        return self.has_denoisers and not by_windows

    @property
    def has_refinement(self) -> bool:
        """Return whether the model has a network that looks again along the midline."""
        return "refinement" in self.description.components

    @property
    def class_conditional(self) -> bool:
        """Return whether one class-conditional denoiser stands for both diffusion models."""
        return "denoiser" in self.description.components

    @property
    def provenance(self) -> dict[str, Any]:
        """Name, version and the components' SHA-256: what a measurement records of its model."""
        digests = {name: component.sha256 for name, component in self.description.components.items()}
        return {"name": self.name, "version": self.description.version, "sha256": digests}

    def kind_of(self, component: str) -> str:
        """Return the kind of a component's network (``registry.KINDS``)."""
        return self._component(component).kind

    def frame_of(self, component: str) -> dict[str, Any]:
        """Return the frame that a component takes: its own if it has one, else the model's."""
        return self._component(component).frame or self.frame

    def grid_of(self, component: str) -> dict[str, Any]:
        """Return the aligned grid that a component takes, as arguments: ``size`` (px), ``pixel_mm``, ``length_mm``."""
        frame = self.frame_of(component)
        return {"size": frame["grid"], "pixel_mm": frame["pixel_mm"], "length_mm": frame["length_mm"]}

    def network(self, component: str) -> nn.Module:
        """Return the component's network on the model's device, in evaluation mode, frozen, float32, built once.

        InputError if the model has no such component or its weights do not fit its settings.
        """
        if component not in self._networks:
            described = self._component(component)
            path = self.folder / described.file
            with empty_init():  # no memory is taken before the weights are known to fit
                network = build_network(described.kind, described.config)
            fill(network, read_weights(path), str(path))
            network.eval().requires_grad_(False)
            self._networks[component] = network.to(self.device, memory_format=torch.channels_last)
        return self._networks[component]

    def on(self, device: str) -> Model:
        """Return the same model on another device; nothing is shared with this one."""
        return Model(self.description, self.folder, device)

    def _component(self, name: str) -> Component:
        found = self.description.components.get(name)
        if found is None:
            raise InputError(f"The model {self.name!r} has no {name} network.", "no-component")
        return found


def check_denoisers(model: Model) -> None:
    """Raise InputError if a model has not both denoisers."""
    if not model.has_denoisers:
        raise InputError(
            f"The model {model.name!r} has no denoisers and cannot make a pseudo-healthy image; choose one that has, such "
            f"as {MODEL_WITH_DENOISERS}.",
            "no-denoisers",
        )


def denoiser_pair(model: Model) -> DenoiserPair:
    """Return both diffusion models of a model that has them, whether they are two networks or one class-conditional one."""
    from MidlineShiftLogic.networks.diffusion import class_branches

    if model.class_conditional:
        network = model.network("denoiser")
        height_condition = network.config.get("height_condition", False)
        return lambda heights: class_branches(network, heights if height_condition else None)
    both = (model.network("conditional"), model.network("unconditional"))
    return lambda heights: both


def load_model(name_or_folder: str | os.PathLike | None = None, device: str = "cpu") -> Model:
    """Open a model given by name or folder (None: the default one) and check that its files are whole.

    Args:
        device: torch device the networks will be put on.

    Raises:
        InputError: no such model, a broken ``model.json``, or a weights file that is missing or not the recorded one.
    """
    folder = find_model(name_or_folder)
    description = read_description(folder)
    for component in description.components.values():
        path = folder / component.file
        try:
            found = sha256(path)
        except OSError as error:
            message = f"The weights file {path} cannot be read ({error.strerror}); install the model again."
            raise InputError(message, "weights-missing") from None
        if found != component.sha256:
            raise InputError(
                f"{path} is not the file that model.json describes (SHA-256 differs); install the model again.",
                "weights-damaged",
            )
    return Model(description, folder, device)


def read_description(folder: Path) -> ModelDescription:
    """Read the contents of a folder's ``model.json``; weights are not looked at. InputError if it is broken."""
    path = folder / "model.json"
    try:
        return parse_description(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}).", "not-a-model") from None
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise InputError(f"{path} is not valid JSON ({error}).", "model-json") from None
    except InputError as error:
        raise InputError(f"{path} does not describe a model: {error}.", error.code) from None


def save_model(
    folder: str | os.PathLike,
    description: ModelDescription,
    networks: Mapping[str, nn.Module],
    frames: Mapping[str, dict[str, Any]] | None = None,
    half: bool = True,
) -> Path:
    """Write a model folder; it appears under its name only when it is complete.

    Args:
        folder: must not exist yet, or be empty.
        description: its ``components`` are replaced by what is written.
        networks: component name -> network.
        frames: component name -> frame of its own, where it differs from the model's.
        half: store matrices as float16 (``weights.write_weights``); float32 if False.

    Returns:
        The folder.

    Raises:
        InputError: the folder exists or cannot be written.
    """
    folder = Path(folder)
    unknown = set(networks) - set(COMPONENTS)
    if unknown:
        raise ValueError(f"unknown components {sorted(unknown)}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} already exists; choose another folder for the model.", "exists")
    with contextlib.ExitStack() as stack:
        try:
            partial = stack.enter_context(unfinished_folder(folder))
        except OSError as error:
            raise InputError(f"The model folder {folder} cannot be written ({error.strerror}).", "out") from None
        components = {
            name: _write_component(partial, name, network, (frames or {}).get(name), half)
            for name, network in networks.items()
        }
        text = _json_text(replace(description, components=components))
        (partial / "model.json").write_text(text, encoding="utf-8")
        partial.chmod(0o755)  # it was private
        if folder.exists():
            folder.rmdir()
        partial.rename(folder)
    return folder


def write_uncertainty(folder: str | os.PathLike, content: dict[str, Any]) -> None:
    """Put a calibration (``measurement.uncertainty``) into a model's ``model.json``, which is replaced at once.

    Raises:
        InputError: the folder holds no model or cannot be written.
    """
    folder = Path(folder)
    text = _json_text(replace(read_description(folder), uncertainty=content))
    partial = folder / unfinished_name("model.json")
    with contextlib.suppress(OSError):  # a folder that may be written but not listed
        remove_stale(folder, "model.json")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(folder / "model.json")
    except OSError as error:
        raise InputError(f"{folder / 'model.json'} cannot be written ({error.strerror}).", "out") from None
    finally:
        partial.unlink(missing_ok=True)


def _json_text(description: ModelDescription) -> str:
    return json.dumps(description.to_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _write_component(
    folder: Path, name: str, network: nn.Module, frame: dict[str, Any] | None, half: bool
) -> Component:
    file = f"{name}.safetensors"
    digest = write_weights(folder / file, network.state_dict(), half)
    return Component(kind=kind_of(network), config=network.config, file=file, sha256=digest, frame=frame)
