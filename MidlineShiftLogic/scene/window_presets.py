"""The windows that readers of head CT switch between, for the panel and for the review in a browser."""

from __future__ import annotations

WINDOW_PRESETS = {"brain": (80.0, 40.0), "subdural": (215.0, 75.0), "stroke": (40.0, 40.0), "bone": (2500.0, 480.0)}
"""Name -> window and level in HU."""
