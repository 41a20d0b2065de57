"""Small sets with sparse landmarks, drawn in milliseconds: in the authors' layout, or as scans with tables."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
from drawn_phantoms import PIXEL_MM, draw_phantom
from scan_files import save_nifti

SPACING = (5.0, PIXEL_MM, PIXEL_MM)
SPACING_TEXT = f"5,{PIXEL_MM},{PIXEL_MM}"


def drawn_case(folder: Path, seed: int, shift_mm: float) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """(slice, row, column) HU of a drawn head, and the landmarks of all slices that have a midline."""
    path = folder / f"{seed}.tmp.npz"
    draw_phantom(path, seed, shift_mm)
    with np.load(path) as arrays:
        hu, points = arrays["hu"], arrays["landmarks"].astype(float)
    path.unlink()
    # below and above the slices drawn, so that 8 may be left out at the bottom and 5 at the top
    hu = np.concatenate([hu[:1]] * 8 + [hu] + [hu[-1:]] * 5)
    return hu, {k + 8: one for k, one in enumerate(points) if np.isfinite(one).all()}


def authors_record(path: str, landmarks: dict[int, np.ndarray], shifted: bool) -> list:
    """A record of their ``.pkl``: the shift is the largest distance in px."""
    sizes = [float(np.linalg.norm(one[2] - one[3])) for one in landmarks.values()]
    return [path, int(shifted), landmarks, max(sizes, default=0.0)]


def write_authors_layout(folder: Path, cases: int = 6, name: str = "data.pkl", seed: int = 0) -> Path:
    """Their ``.npy`` files and ``.pkl``: every second case is shifted, with one labelled slice, or two, or none."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    records = {}
    for number in range(cases):
        shifted = number % 2 == 1
        hu, landmarks = drawn_case(folder, seed + number, 7.2 if shifted else 0.0)
        given = f"images/{seed + number}.npy"
        np.save(folder / given, hu)
        kept = list(landmarks.items())[2 : 2 + (number + 1) // 2 % 3] if shifted else []
        record = authors_record(given, dict(kept), shifted)
        if shifted and not kept:
            record[3] = 7.2 / PIXEL_MM  # a number for the case alone
        records[f"patient_{seed + number}"] = record
    path = folder / name
    path.write_bytes(pickle.dumps(records))
    return path


def write_scan(folder: Path, name: str, seed: int, shift_mm: float) -> tuple[Path, dict[int, np.ndarray]]:
    """A NIfTI file of a drawn head, and its landmarks in px."""
    folder.mkdir(parents=True, exist_ok=True)
    hu, landmarks = drawn_case(folder, seed, shift_mm)
    return save_nifti(folder / f"{name}.nii.gz", hu, SPACING), landmarks


def landmark_row(case: str, index: int, points: np.ndarray) -> dict:
    """A row of the table of landmarks in px, without the ideal point."""
    row = {"case": case, "slice": index}
    for name, (column, line) in zip(("anterior_falx", "posterior_falx", "shifted"), points, strict=False):
        row |= {f"{name}_col": column, f"{name}_row": line}
    return row


def write_table(path: Path, rows: list[dict]) -> Path:
    """CSV of rows that share their columns."""
    lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_markups(path: Path, points_lps: list[np.ndarray], names: list[str] | None, system: str = "LPS") -> Path:
    """A point list as 3D Slicer saves it; names are descriptions, as in this project's scenes."""
    turn = np.array([-1.0, -1.0, 1.0]) if system == "RAS" else np.ones(3)
    points = [
        {
            "id": str(k + 1),
            "label": f"F-{k + 1}",
            "description": names[k] if names else "",
            "position": (np.asarray(point) * turn).tolist(),
            "positionStatus": "defined",
        }
        for k, point in enumerate(points_lps)
    ]
    content = {"markups": [{"type": "Fiducial", "coordinateSystem": system, "controlPoints": points}]}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
