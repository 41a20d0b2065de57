"""Say in words for people how well a model was found to measure."""

from __future__ import annotations

MEASURED_ON = {"phantoms": "synthetic phantoms", "readings": "real scans with readers' numbers"}


def accuracy_sentence(accuracy: dict) -> str:
    """Put into words the mean absolute errors that ``midlineshift-train card`` wrote into ``model.json``: set -> figures."""
    parts = []
    for name, words in MEASURED_ON.items():
        figures = accuracy.get(name)
        if isinstance(figures, dict) and {"mae_mm", "cases", "refused"} <= figures.keys():
            parts.append(f"{figures['mae_mm']:.1f} mm on {figures['cases'] - figures['refused']} {words}")
    return f"Mean error {', '.join(parts)}." if parts else "Its accuracy has not been measured."
