"""Models that a worker keeps open from case to case."""

from __future__ import annotations

from functools import lru_cache

from MidlineShiftLogic.models import Model, load_model


def model_fingerprint(folder: str | None) -> str:
    """Describe what a model is now, by digests and settings: a worker of a cluster may live on while its folder is written anew.

    Raises:
        InputError: the model cannot be loaded.
    """
    return repr(load_model(folder, "cpu").description)


@lru_cache(maxsize=8)
def cached_model(folder: str | None, fingerprint: str) -> Model:
    """Return the model of that folder as it was when ``fingerprint`` was made, loaded once a process."""
    return load_model(folder, "cpu")
