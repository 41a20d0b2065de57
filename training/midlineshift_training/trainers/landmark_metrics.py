"""Validation errors of stage 2 on annotated scans."""

from __future__ import annotations

from torch import Tensor

READOUTS = ("landmark", "largest")
"""|u| at the shifted landmark; largest |u| of the slice."""


def landmark_errors(found: dict[str, Tensor]) -> dict[str, float]:
    """Compute mean absolute errors, mm, of slices and cases whose truth is known, and the loss without its image term.

    Args:
        found: (S,) each: ``case``, ``true_mm`` and ``limit_mm`` (NaN: not known), ``landmark`` and ``largest`` (what was
            measured, mm), ``loss``.
    """
    figures = {"loss": float(found["loss"].mean())}
    labelled = found["true_mm"].isfinite()
    if labelled.any():
        for name in READOUTS:
            error = (found[name] - found["true_mm"])[labelled].abs()
            figures[f"slice_{name}_mae_mm"] = float(error.mean())
    cases = [found["case"] == case for case in found["case"].unique()]
    errors = [abs(float(found["largest"][one].max() - found["limit_mm"][one][0])) for one in cases]
    errors = [error for error in errors if error == error]
    if errors:
        figures["case_mae_mm"] = sum(errors) / len(errors)
    return figures
