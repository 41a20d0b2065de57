"""Build ``tissue_model.npz``, the anatomy every phantom starts from.

    python -m midlineshift_training.datasets.phantoms.build_tissue_model --colin DIR [--out FILE] [--picture FILE]

Inputs (neither is needed to *use* the built file):

* nilearn's wheel: ICBM152 2009a symmetric grey matter, white matter and T1 maps (1 mm).
* DIR: the folder with ``ch2.nii.gz`` (Colin27 whole-head T1, 1 mm) and ``ch2better.nii.gz`` (skull-stripped, 0.5 mm);
  Debian's package ``mricron-data`` puts them into ``/usr/share/mricron/templates``.

Output arrays (template space: MNI millimetres, RAS+, mid-sagittal plane x = 0; see ``tissue_model.py``):

* ``brains`` (2, brain grid) uint8: grey matter / 15 in the low four bits, white matter / 15 in the high four bits
  (0: ICBM152 average, 1: Colin27).
* ``ventricles`` (2, brain grid) packed bits.
* ``depth`` (head grid at 2 mm) int8: signed distance to the inner table in half millimetres, positive inside.
* ``base`` (head grid) uint8: HU of the Colin27 head outside the skull, coded by ``tissue_model.encode_hu``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import nibabel as nib
import numpy as np
from scipy import ndimage
from skimage import measure
from skimage.morphology import isotropic_closing, isotropic_dilation

from midlineshift_training.datasets.phantoms.tissue_model import BRAIN, HEAD, MODEL_FILE, Grid, encode_hu
from MidlineShiftLogic.masks import largest_component

AIR_HU, FAT_HU, SOFT_HU, BONE_HU, SPONGE_HU, VITREOUS_HU = -1000, -90, 50, 1100, 600, 14
GLOBES_MM = ((-32.0, 62.0, -38.0), (32.0, 62.0, -38.0))
GLOBE_RADIUS_MM = 12.5


def resample(image: nib.Nifti1Image, grid: Grid) -> np.ndarray:
    """Sample an image trilinearly at the grid's nodes; zero outside it."""
    to_voxel = np.linalg.inv(image.affine) @ np.vstack(
        [np.c_[np.eye(3) * grid.spacing, np.array(grid.origin)], [0, 0, 0, 1]]
    )
    data = np.asarray(image.dataobj, dtype=np.float32)
    return ndimage.affine_transform(
        data, to_voxel[:3, :3], to_voxel[:3, 3], output_shape=grid.shape, order=1, mode="constant"
    )


def mid_surface(volume: np.ndarray, grid: Grid, window_mm: float = 21.0) -> np.ndarray:
    """Return x (mm) about which a brain is locally most symmetric, for every (y, z).

    A single person's midsagittal plane is not flat; what is not at x = 0 in the model would be a shift that no label knows.
    """
    centre = round(-grid.origin[0] / grid.spacing)
    candidates = np.arange(-4, 5)
    reach = np.arange(1, 25)
    cost = np.stack(
        [
            ndimage.gaussian_filter(
                ((volume[centre + c + reach] - volume[centre + c - reach]) ** 2).mean(0), window_mm / 2
            )
            for c in candidates
        ]
    )
    weight = np.exp(-(cost - cost.min(0)) / (0.12 * cost.min(0) + 1e-3))
    surface = (weight * candidates[:, None, None]).sum(0) / weight.sum(0)
    return ndimage.gaussian_filter(surface, 6.0)


def flatten_mid_surface(volume: np.ndarray, grid: Grid, surface: np.ndarray) -> np.ndarray:
    """Resample a volume so that its mid-surface becomes x = 0; the change fades out laterally."""
    x, y, z = np.meshgrid(*[np.arange(n, dtype=np.float32) for n in grid.shape], indexing="ij")
    away = x * grid.spacing + grid.origin[0]
    x = x + surface[None].astype(np.float32) / grid.spacing * np.exp(-((away / 40.0) ** 2))
    return ndimage.map_coordinates(volume, [x, y, z], order=1, mode="nearest")


def colin_tissues(t1: np.ndarray, stripped: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return grey and white fractions of Colin27 by its T1 intensities (CSF 32, grey 72, white 109)."""
    smooth = ndimage.gaussian_filter(t1, 0.45)
    csf = np.clip((74 - smooth) / (74 - 34), 0, 1)
    white = np.clip((smooth - 86) / (108 - 86), 0, 1)
    grey = np.clip(1 - csf - white, 0, 1)
    brain = ndimage.gaussian_filter((stripped > 5).astype(np.float32), 0.6)
    return grey * brain, white * brain


def ventricle_mask(csf: np.ndarray, depth: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Mark lateral and third ventricles: deep CSF connected to seeds inside, without the cisterns below and behind."""
    wet = (csf > 0.5) & (depth > 20) & (np.abs(x) < 46) & (y > -78) & (y < 42) & (z > -24) & (z < 40)
    wet &= ~((np.abs(x) < 13) & (y < -31))
    wet &= ~((z < -2) & (y > 3))
    wet &= ~((z < -8) & (np.abs(x) < 20))
    wet &= ~((np.abs(x) > 32) & (y > -22) & (z > -9))
    wet &= ~((np.abs(x) < 4) & (y > 30))
    wet = ndimage.binary_opening(wet) | (wet & (np.abs(x) < 4))
    labels = measure.label(wet, connectivity=1)
    keep = np.zeros_like(wet)
    for seed in ((8, 12, 12), (12, -10, 22), (25, -42, 8)):
        for side in (-1, 1):
            near = (np.abs(x - side * seed[0]) <= 3) & (np.abs(y - seed[1]) <= 3) & (np.abs(z - seed[2]) <= 3)
            for label in np.unique(labels[near]):
                if label:
                    keep |= labels == label
    return keep


def head_outside_skull(t1: np.ndarray, cavity: np.ndarray, depth: np.ndarray, grid: Grid) -> np.ndarray:
    """Return HU of the head outside the inner table, from Colin27: fat bright, soft tissue middling, bone and air dark."""
    x, y, z = grid.coordinates()
    beyond = np.clip(-depth, 0, None)
    head = ndimage.binary_fill_holes(isotropic_closing(t1 > 14, 5))
    for k in range(grid.shape[2]):
        head[:, :, k] = ndimage.binary_fill_holes(head[:, :, k])
    head = largest_component(head | isotropic_dilation(cavity, 10))
    skin = ndimage.distance_transform_edt(head)
    smooth = ndimage.gaussian_filter(t1, 0.6)
    rng = np.random.default_rng(0)
    cells = ndimage.gaussian_filter(rng.normal(size=grid.shape).astype(np.float32), 1.2)
    cells /= cells.std()

    hu = np.interp(smooth, (35, 50, 95, 125), (30, SOFT_HU + 5, SOFT_HU, FAT_HU)).astype(np.float32)
    hu[skin < 2.2] = 35
    dark = (smooth < 38) & head & ~cavity & (skin > 2.5)
    core = ndimage.distance_transform_edt(dark)
    hu[dark] = np.where(core[dark] > 2.2, SPONGE_HU, BONE_HU)
    inner_table = head & ~cavity & (beyond < 2.6) & ~((z < -58) & (np.abs(x) < 22))
    hu[inner_table] = np.maximum(hu[inner_table], 950)

    nose = (np.abs(x) < 17) & (y > 14) & (y < 84) & (z < -18)
    sinus = (np.abs(x) < 46) & (y > 14) & (y < 80) & (z < -46)
    sphenoid = (np.abs(x) < 15) & (y > -6) & (y < 24) & (z < -22) & (z > -48)
    throat = (np.abs(x) < 22) & (y > -14) & (y < 20) & (z < -46)
    airy = ndimage.binary_opening((nose | sinus | sphenoid | throat) & dark & (beyond > 2.5), iterations=1)
    hu[airy & (core > 1.2)] = -980
    ethmoid = (np.abs(x) < 13) & (y > 24) & (y < 60) & (z > -42) & (z < -20) & ~cavity & (beyond > 2.0)
    hu[ethmoid] = np.where(cells[ethmoid] > 0.7, 350, -850)
    petrous = ~cavity & (beyond < 15) & (z < -20) & (z > -58) & (y < 8) & (y > -55) & (np.abs(x) > 12) & (skin > 7)
    petrous &= np.abs(x) < 66
    hu[petrous & (smooth < 70)] = 1150
    mastoid = petrous & (np.abs(x) > 40) & (y < -10) & (z < -30) & (smooth < 60)
    hu[mastoid] = np.where(cells[mastoid] > 0.1, -750, 800)
    for globe in GLOBES_MM:
        radius = np.sqrt((x - globe[0]) ** 2 + (y - globe[1]) ** 2 + (z - globe[2]) ** 2)
        hu[radius < GLOBE_RADIUS_MM] = VITREOUS_HU
        hu[(radius >= GLOBE_RADIUS_MM - 1.2) & (radius < GLOBE_RADIUS_MM)] = 55
        lens = np.sqrt((x - globe[0]) ** 2 / 20 + (y - globe[1] - 8) ** 2 / 4 + (z - globe[2]) ** 2 / 20)
        hu[lens < 1] = 90
    hu[~head] = AIR_HU
    # The inside carries the nearest outer value, so that interpolation at the inner table meets bone and not a hole.
    nearest = ndimage.distance_transform_edt(cavity, return_distances=False, return_indices=True)
    hu = np.where(cavity, hu[tuple(nearest)], hu)
    return ndimage.gaussian_filter(hu, 0.4)


def build(colin_folder: Path) -> dict[str, np.ndarray]:
    """Return all arrays of the tissue model."""
    import nilearn

    folder = Path(nilearn.__file__).parent / "datasets" / "data"
    icbm = {
        name: nib.load(folder / f"mni_icbm152_{name}_tal_nlin_sym_09a_converted.nii.gz") for name in ("gm", "wm", "t1")
    }
    whole, stripped = (nib.load(colin_folder / f"{name}.nii.gz") for name in ("ch2", "ch2better"))

    surface = mid_surface(resample(stripped, BRAIN), BRAIN)
    colin_t1 = flatten_mid_surface(resample(whole, BRAIN), BRAIN, surface)
    colin_brain = flatten_mid_surface(resample(stripped, BRAIN), BRAIN, surface)
    grey_white = [
        tuple(resample(icbm[name], BRAIN) / 255 for name in ("gm", "wm")),
        colin_tissues(colin_t1, colin_brain),
    ]

    head_t1 = resample(whole, HEAD)
    brain = (sum(resample(icbm[name], HEAD) / 255 for name in ("gm", "wm")) > 0.3) | (resample(icbm["t1"], HEAD) > 20)
    brain |= resample(stripped, HEAD) > 20
    brain |= brain[::-1]  # the head grid is symmetric about x = 0
    cavity = ndimage.binary_fill_holes(isotropic_closing(brain, 12) | brain)
    cavity = ndimage.gaussian_filter(isotropic_dilation(cavity, 1.5).astype(np.float32), 2) > 0.5
    lowest = np.argmax(cavity.any((0, 1)))
    cavity[:, :, :lowest] = cavity[:, :, lowest + 1 : lowest + 2]
    depth = ndimage.distance_transform_edt(cavity) - ndimage.distance_transform_edt(~cavity)
    depth -= np.sign(depth) * 0.5

    offset = np.round((np.array(BRAIN.origin) - HEAD.origin) / HEAD.spacing).astype(int)
    depth_brain = depth[tuple(slice(o, o + n) for o, n in zip(offset, BRAIN.shape, strict=True))]
    coordinates = BRAIN.coordinates()
    brains, ventricles = [], []
    for grey, white in grey_white:
        excess = np.maximum(grey + white, 1)
        grey, white = grey / excess, white / excess
        brains.append((np.round(grey * 15).astype(np.uint8)) | (np.round(white * 15).astype(np.uint8) << 4))
        ventricles.append(np.packbits(ventricle_mask(1 - grey - white, depth_brain, *coordinates)))
    return {
        "brains": np.stack(brains),
        "ventricles": np.stack(ventricles),
        "depth": np.clip(np.round(2 * ndimage.gaussian_filter(depth, 0.7)[::2, ::2, ::2]), -127, 127).astype(np.int8),
        "base": encode_hu(head_outside_skull(head_t1, cavity, depth, HEAD)),
    }


def picture(path: Path) -> None:
    """Draw a sheet of the built model, to look at."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from midlineshift_training.datasets.phantoms.tissue_model import load

    model = load()
    _figure, axes = plt.subplots(6, 8, figsize=(28, 24))
    for j, z in enumerate((-65, -50, -38, -25, -10, 5, 20, 45)):
        k, h = int(z - BRAIN.origin[2]), int(z - HEAD.origin[2])
        for i in range(2):
            grey, white, vent = model.grey[i][:, :, k], model.white[i][:, :, k], model.ventricles[i][:, :, k]
            hu = 38 * grey + 28 * white + 6 * (1 - grey - white)
            axes[i, j].imshow(hu.T, origin="lower", cmap="gray", vmin=0, vmax=45)
            axes[i + 2, j].imshow((vent + 2.0 * (grey + white)).T, origin="lower")
        axes[4, j].imshow(model.base[:, :, h].T, origin="lower", cmap="gray", vmin=-200, vmax=1200)
        axes[5, j].imshow(model.depth[:, :, h].T, origin="lower")
    for axis in axes.ravel():
        axis.axis("off")
    plt.tight_layout(pad=0.3)
    plt.savefig(path, dpi=45)


@click.command()
@click.option("--colin", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), default=MODEL_FILE)
@click.option("--picture", "sheet", type=click.Path(dir_okay=False, path_type=Path))
def main(colin: Path, out: Path, sheet: Path | None) -> None:
    """Build the tissue model from nilearn's ICBM152 maps and Colin27."""
    arrays: dict[str, Any] = build(colin)
    np.savez_compressed(out, **arrays)
    click.echo(f"{out}: {out.stat().st_size / 2**20:.1f} MiB")
    if sheet:
        picture(sheet)


if __name__ == "__main__":
    main()
