"""The kinds of network a model folder may hold. Nothing else is ever built from a model's files."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from MidlineShiftLogic.errors import InputError

if TYPE_CHECKING:
    from torch import nn

KINDS = {
    "adm": "MidlineShiftLogic.networks.denoiser:Denoiser",
    "voxelmorph": "MidlineShiftLogic.networks.voxelmorph:DeformationNet",
    "midline_unet": "MidlineShiftLogic.networks.midline_unet:MidlineUNet",
    "strip_unet": "MidlineShiftLogic.networks.strip_unet:StripUNet",
}
"""Kind in ``model.json`` -> module and class, imported only when it is built."""


RENAMED = {"midline_unet": {"fineness": "upsampling"}}
"""Kind -> settings by the name they have in ``model.json`` of earlier versions -> their name of today."""


def build_network(kind: str, config: dict[str, Any]) -> nn.Module:
    """Build a network with fresh weights. InputError for an unknown kind or settings its class does not accept."""
    if kind not in KINDS:
        raise InputError(f"Unknown kind of network {kind!r}; known are {', '.join(KINDS)}.", "unknown-kind")
    module, name = KINDS[kind].split(":")
    network_class = getattr(importlib.import_module(module), name)
    renamed = RENAMED.get(kind, {})
    try:
        return network_class(**{renamed.get(name, name): value for name, value in config.items()})
    except (TypeError, ValueError, ZeroDivisionError, IndexError, RuntimeError) as error:
        raise InputError(f"A network of kind {kind!r} cannot be built from {config!r} ({error}).", "config") from None


def kind_of(network: nn.Module) -> str:
    """Return the kind of a network. TypeError for one that no model folder may hold."""
    found = f"{type(network).__module__}:{type(network).__qualname__}"
    for kind, path in KINDS.items():
        if path == found:
            return kind
    raise TypeError(f"{found} is not registered as a kind of network")
