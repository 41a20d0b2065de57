"""All slices of a folder of phantoms in memory, with what the training of the reading networks needs of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch

from MidlineShiftLogic.errors import InputError

# Heights (mm above the anterior-commissure level) between which the falx is told to be readable end to end.
READABLE_HEIGHT_MM = (-16.0, 56.0)
# Fractions of the ideal midline around the septum pellucidum, where the shift is read.
SEPTUM = (0.30, 0.46)
# Share of real unlabelled slices in a batch, where there are any.
PSEUDO_SHARE = 0.35
# What training and evaluation need of a phantom file (``phantoms.case`` says what each is).
ENTRIES = (
    "hu", "pixel_mm", "thickness_mm", "heights_mm", "displacement_px", "inside", "line_angle", "line_offset", "landmarks",
    "midline_shift_mm", "height_mm", "has_midline", "case_shift_mm",
)  # fmt: skip


@dataclass
class PhantomSlices:
    """Slices of many phantoms, stacked; S slices. Lengths in mm unless said otherwise.

    Attributes:
        hu: (S, 256, 256) int16.
        displacement_px: (S, 2, 64, 64) float16: rows, columns, in pixels of the 256 grid, on nodes linspace(0, 255, 64).
        inside: (S, 128, 128) uint8.
        pixel_mm: (S,). angle: (S,) radians of the mid-plane's in-plane normal.
        anterior, posterior: (S, 2) plane mm (column, row); on slices without a falx, extrapolated along the mid-plane.
        falx_length: (S,) the case's falx length. height: (S,).
        readable: (S,) bool. septum_shift: (S,) signed mean deviation around the septum, 0 where not readable.
        case_shift: (S,) signed.
        pseudo: (S,) bool, real slices whose truth is only that they are unshifted (``cohorts.unlabelled``).
    """

    hu: torch.Tensor
    displacement_px: torch.Tensor
    inside: torch.Tensor
    pixel_mm: torch.Tensor
    angle: torch.Tensor
    anterior: torch.Tensor
    posterior: torch.Tensor
    falx_length: torch.Tensor
    height: torch.Tensor
    readable: torch.Tensor
    septum_shift: torch.Tensor
    case_shift: torch.Tensor
    pseudo: torch.Tensor

    def __len__(self) -> int:
        return len(self.hu)


def phantom_files(folder: str | Path) -> list[Path]:
    """Finished phantom files of a folder, in case order.

    Raises:
        InputError: the folder does not exist or holds no phantom.
    """
    folder = Path(folder)
    files = sorted(folder.glob("[0-9]*.npz")) if folder.is_dir() else []
    if not files:
        raise InputError(
            f"No phantom (*.npz) in {folder}; make some with 'midlineshift-train phantoms --out {folder}'.", "no-data"
        )
    return files


def split_phantoms(folders: list[Path], validation_cases: int) -> tuple[list[Path], list[Path]]:
    """Phantom files to train on, and the last ones, held out: ``validation_cases``, but at most a fifth of all.

    Raises:
        InputError: a folder holds no phantom, or all together hold fewer than two.
    """
    files = [path for folder in folders for path in phantom_files(folder)]
    if len(files) < 2:
        raise InputError("Training needs two phantoms or more: one to learn from, one to check with.", "no-data")
    held_out = max(1, min(validation_cases, len(files) // 5))
    return files[:-held_out], files[-held_out:]


def read_phantom(path: Path) -> dict[str, np.ndarray]:
    """All entries of a phantom file.

    Raises:
        InputError: the file is damaged or lacks an entry that training or evaluation needs; names the file.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            entries = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise _incomplete(path, error) from None
    missing = [name for name in ENTRIES if name not in entries]
    if missing:
        raise _incomplete(path, f"it has no {missing[0]}")
    return entries


def _incomplete(path: Path, why) -> InputError:
    return InputError(f"{path} is not a complete phantom file ({why}); make it again.", "bad-phantom")


def _case_lines(q) -> dict[str, np.ndarray] | None:
    """Ends of the falx in plane mm for every slice, extrapolated where a slice has none; None without any."""
    pixel = float(q["pixel_mm"])
    ends = q["landmarks"][:, :2].astype(np.float64) * pixel
    has = q["has_midline"] & np.isfinite(ends).all((1, 2))
    if has.sum() < 3:
        return None
    angle = float(q["line_angle"])
    n, u = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    index = np.arange(len(has))
    length = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
    along = np.interp(index, index[has], (ends.mean(1) @ u)[has])
    half = np.interp(index, index[has], length[has] / 2)
    on_line = q["line_offset"][:, None].astype(np.float64) * pixel * n
    return {
        "has": has,
        "anterior": on_line + (along - half)[:, None] * u,
        "posterior": on_line + (along + half)[:, None] * u,
        "length": np.percentile(length[has], 85),
    }


def _case_values(q: dict[str, np.ndarray]) -> dict[str, np.ndarray] | None:
    """What ``PhantomSlices`` holds of one case, by name; None without a midline."""
    line = _case_lines(q)
    if line is None:
        return None
    count = len(q["hu"])
    height = q["height_mm"].astype(np.float32)
    profile = q["midline_shift_mm"]
    fractions = np.linspace(0.10, 0.90, profile.shape[1])
    septum = profile[:, (fractions >= SEPTUM[0]) & (fractions <= SEPTUM[1])].mean(1)
    readable = line["has"] & (height > READABLE_HEIGHT_MM[0]) & (height < READABLE_HEIGHT_MM[1])
    readable &= np.isfinite(septum)
    return {
        "hu": q["hu"],
        "displacement_px": q["displacement_px"],
        "inside": q["inside"].astype(np.uint8),
        "pixel_mm": np.full(count, q["pixel_mm"], np.float32),
        "angle": np.full(count, q["line_angle"], np.float32),
        "anterior": line["anterior"].astype(np.float32),
        "posterior": line["posterior"].astype(np.float32),
        "falx_length": np.full(count, line["length"], np.float32),
        "height": height,
        "readable": readable,
        "septum_shift": np.where(readable, septum, 0).astype(np.float32),
        "case_shift": np.full(count, q["case_shift_mm"], np.float32),
        "pseudo": np.full(count, bool(q.get("pseudo", False))),
    }


def load_phantoms(files: list[Path]) -> PhantomSlices:
    """Read phantom files into one ``PhantomSlices``.

    Raises:
        InputError: a file is damaged or lacks an entry; names the file.
    """
    parts: dict[str, list] = {name: [] for name in PhantomSlices.__dataclass_fields__}
    for path in files:
        try:
            values = _case_values(read_phantom(path))
        except (ValueError, TypeError, IndexError) as error:
            raise _incomplete(path, error) from None
        if values is None:
            continue
        for name, value in values.items():
            parts[name].append(torch.from_numpy(np.ascontiguousarray(value)))
    if not parts["hu"]:
        raise InputError("None of the phantoms shows a midline; make them again.", "no-data")
    return PhantomSlices(**{name: torch.cat(value) for name, value in parts.items()})


def sampling_weights(
    slices: PhantomSlices, unreadable_share: float = 0.2, pseudo_share: float = PSEUDO_SHARE
) -> torch.Tensor:
    """(S,) probability of drawing each slice.

    Shifted slices come more often, some that cannot be read come too, and real unlabelled ones (of which only those that
    were read are of use: what the others show is not known) make ``pseudo_share`` of all draws if there are any.
    """
    readable, pseudo = slices.readable.float(), slices.pseudo.float()
    weight = readable * (1 - pseudo) * (1 + slices.septum_shift.abs() / 2.5).clamp(max=4.5)
    other = (1 - readable) * (1 - pseudo) * torch.where(slices.height < 0, 1.0, 0.5)
    shares = ((weight, 1 - unreadable_share), (other, unreadable_share))
    drawn = sum(part / part.sum().clamp(min=1e-6) * share for part, share in shares)
    real = readable * pseudo
    if not real.any():
        return drawn
    if not drawn.any():
        return real / real.sum()
    return drawn * (1 - pseudo_share) + real / real.sum() * pseudo_share
