"""Models: folders of networks with their description. ``load_model`` is the way in."""

from MidlineShiftLogic.models.folder import Model, load_model, save_model
from MidlineShiftLogic.models.locate import DEFAULT_MODEL, list_models

__all__ = ["DEFAULT_MODEL", "Model", "list_models", "load_model", "save_model"]
