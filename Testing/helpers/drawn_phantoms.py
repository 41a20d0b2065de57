"""Phantom files drawn with a few ellipses: the real format and an exact truth, made in milliseconds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

PIXEL_MM = 0.9
SLICES = 14


def draw_phantom(path: Path, seed: int, shift_mm: float | None = None) -> float:
    """Write one case: an elliptic skull, a bright midline pushed sideways, the displacement that undoes the push.

    Args:
        path: file to write. seed: of pose and noise. shift_mm: signed push (+ left); drawn at random if None.

    Returns:
        The push in mm.
    """
    rng = np.random.default_rng(seed)
    shift = rng.uniform(-8, 8) if shift_mm is None else shift_mm
    push = shift / PIXEL_MM
    angle, centre = np.radians(rng.uniform(-12, 12)), np.array([127.5, 127.5]) + rng.uniform(-4, 4, 2)
    n, u = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    half = 90.0

    def head(rows, columns):
        """Sideways and lengthwise position (px) from the head's middle."""
        x, y = columns - centre[0], rows - centre[1]
        return x * n[0] + y * n[1], x * u[0] + y * u[1]

    def displaced(across, along):
        """Sideways push of the tissue that would be at (across, along)."""
        return push * np.cos(np.clip((along + 20) / half, -1, 1) * np.pi / 2) ** 2 * np.exp(-((across / 40) ** 2))

    rows, columns = np.mgrid[:256, :256].astype(float)
    across, along = head(rows, columns)
    radius = np.hypot(across / 72, along / half)
    origin = across.copy()
    for _ in range(30):  # where the tissue that is now at a pixel came from: origin + push(origin) = across
        origin = across - displaced(origin, along)
    hu = np.where(radius < 1, 32.0, np.where(radius < 1.09, 900.0, -1000.0))
    hu[(radius < 1) & (np.abs(origin) < 1.5)] = 60
    hu[(radius < 1) & (np.abs(np.abs(origin) - 9) < 5) & (np.abs(along + 15) < 20)] = 8
    stack = np.repeat(hu[None], SLICES, 0) + rng.normal(0, 2, (SLICES, 256, 256))
    nodes = np.linspace(0, 255, 64)
    node_across, node_along = head(*np.meshgrid(nodes, nodes, indexing="ij"))
    node_origin = node_across.copy()
    for _ in range(30):
        node_origin = node_across - displaced(node_origin, node_along)
    sideways = node_origin - node_across
    field = np.stack([sideways * n[1], sideways * n[0]])
    back = displaced(node_across, node_along)
    inverse = np.stack([back * n[1], back * n[0]])
    fractions = np.linspace(0.10, 0.90, 41)
    profile = displaced(0.0, (2 * fractions - 1) * half) * PIXEL_MM
    ends = np.stack([centre - half * u, centre + half * u])
    foot = centre - 20 * u
    landmarks = np.stack([*ends, foot + push * n, foot])
    height = np.linspace(-35, 60, SLICES).astype(np.float32)
    has = (height > -18) & (height < 58)
    np.savez(
        path,
        hu=stack.astype(np.int16),
        pixel_mm=PIXEL_MM,
        thickness_mm=5.0,
        heights_mm=5.0 * np.arange(SLICES),
        displacement_px=np.repeat(field[None], SLICES, 0).astype(np.float16),
        inverse_px=np.repeat(inverse[None], SLICES, 0).astype(np.float16),
        inside=np.repeat((radius < 1)[None, ::2, ::2], SLICES, 0).astype(np.uint8),
        line_angle=angle,
        line_offset=np.full(SLICES, centre @ n),
        landmarks=np.where(has[:, None, None], landmarks, np.nan).astype(np.float32),
        midline_shift_mm=np.where(has[:, None], profile, np.nan).astype(np.float32),
        signed_shift_mm=np.where(has, shift, np.nan).astype(np.float32),
        height_mm=height,
        has_midline=has,
        meta=json.dumps({"seed": seed}),
        case_shift_mm=float(profile[(fractions >= 0.30) & (fractions <= 0.46)].mean()),
    )
    return shift


def draw_cohort(folder: Path, cases: int, seed: int = 0) -> Path:
    """``cases`` drawn phantoms in a folder; every third is unshifted."""
    folder.mkdir(parents=True, exist_ok=True)
    for case in range(cases):
        draw_phantom(folder / f"{case:05d}.npz", seed + case, 0.0 if case % 3 == 0 else None)
    return folder
