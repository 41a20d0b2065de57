"""Arrays of Hounsfield units -> files a scanner or a converter might have written."""

import nibabel
import numpy as np


def save_nifti(path, hu, spacing=(5.0, 0.9, 0.9), dtype=np.int16):
    """(slice, row, column) in our canonical order -> NIfTI in RAS+ geometry; ``dtype`` None keeps the array's own."""
    affine = np.diag([-spacing[2], -spacing[1], spacing[0], 1.0])
    affine[:3, 3] = 0.5 * hu.shape[2] * spacing[2], 0.5 * hu.shape[1] * spacing[1], 0.0
    data = hu if dtype is None else np.round(hu).astype(dtype)
    nibabel.save(nibabel.Nifti1Image(data.transpose(2, 1, 0), affine), path)
    return path
