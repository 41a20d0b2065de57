"""Loss terms of the deformation network (Gong et al., arXiv 2301.00409, section 2.3), mended where their code erred.

Fields are (N, 2, H, W), rows then columns, in pixels; every term gives one value a slice (N,).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from MidlineShiftLogic.geometry import resampling
from MidlineShiftLogic.geometry.fields import warp

CORRELATION_WINDOW_PX = 9
"""Side of the windows of local correlation: about 30 mm on the denoisers' grid, wider than the largest shift."""
_NEAR = 3.0
"""Landmark error in px up to which the loss is quadratic."""


def image_loss(x: Tensor, pseudo_healthy: Tensor, displacement: Tensor, mask: Tensor) -> Tensor:
    """Mean over the slice of mask * (x - pseudo_healthy(p + u))^2; images and brain mask are (N, 1, H, W)."""
    return (mask * (x - warp(pseudo_healthy, displacement)) ** 2).flatten(1).mean(dim=1)


def local_correlation_loss(x: Tensor, pseudo_healthy: Tensor, displacement: Tensor, mask: Tensor) -> Tensor:
    """Compute 1 - squared local normalised cross-correlation of x and pseudo_healthy(p + u), mean over mask * slice.

    Unlike squares it does not ask the pseudo-healthy image for the grey values of the scan, only for its structure. The
    correlation is MONAI's, over windows of ``CORRELATION_WINDOW_PX``; arguments and value as of ``image_loss``.
    """
    from monai.losses import LocalNormalizedCrossCorrelationLoss  # ten seconds to import

    similarity = LocalNormalizedCrossCorrelationLoss(
        spatial_dims=2, kernel_size=CORRELATION_WINDOW_PX, reduction="none"
    )
    return (mask * (1 + similarity(warp(pseudo_healthy, displacement), x))).flatten(1).mean(dim=1)


def compare_images(similarity: str, x: Tensor, pseudo_healthy: Tensor, displacement: Tensor, mask: Tensor) -> Tensor:
    """Compute the image term over all slices by ``squares`` or by ``local correlation``; arguments as of ``image_loss``."""
    terms = {"squares": image_loss, "local correlation": local_correlation_loss}
    return terms[similarity](x, pseudo_healthy, displacement, mask).mean()


def bending_loss(displacement: Tensor) -> Tensor:
    """Compute the bending energy of each field (Rueckert et al. 1999), mean over pixels, by MONAI."""
    from monai.losses import BendingEnergyLoss

    return BendingEnergyLoss(reduction="none")(displacement).flatten(1).mean(dim=1)


def smoothness_loss(displacement: Tensor) -> Tensor:
    """Return half the sum of the mean squared forward differences along rows and along columns, in px^2."""
    along_rows = displacement.diff(dim=2).square().flatten(1).mean(dim=1)
    along_columns = displacement.diff(dim=3).square().flatten(1).mean(dim=1)
    return (along_rows + along_columns) / 2


def landmark_loss(displacement: Tensor, landmarks: Tensor) -> Tensor:
    """Mean error of the field at the three landmarks of a slice, 0 for slices without landmarks.

    The field is to be 0 at both falx ends and (normal - shifted) at the shifted landmark. Each component's error d
    counts |d| above 3 px and (d^2 + 9) / 6 below, which meet at 3 px with the same slope.

    Args:
        landmarks: (N, 4, 2) in px as (column, row): anterior falx, posterior falx, shifted, normal; NaN in any of them
            marks a slice without labels. (Theirs gave such slices the point (1, 1), and sampled half a pixel off.)
    """
    labelled = torch.isfinite(landmarks).flatten(1).all(dim=1)
    points = torch.where(labelled[:, None, None], landmarks, torch.zeros_like(landmarks)).flip(-1)
    wished = torch.zeros_like(points[:, :3])
    wished[:, 2] = points[:, 3] - points[:, 2]
    distance = (sample(displacement, points[:, :3]) - wished).abs()
    loss = torch.where(distance > _NEAR, distance, (distance**2 + _NEAR**2) / (2 * _NEAR))
    return torch.where(labelled, loss.flatten(1).mean(dim=1), torch.zeros_like(loss[:, 0, 0]))


def hinge_loss(displacement: Tensor, label: Tensor) -> Tensor:
    """Mean over pixels of max(0, |u| - label): no pixel moves farther than its own case's shift.

    Args:
        label: (N,) shift of the case in px, 0 for an unshifted one; NaN where it is unknown, which asks nothing.
            (Theirs held the first field of the batch against every label.)
    """
    limit = torch.where(torch.isfinite(label), label, torch.full_like(label, torch.inf))
    squared = displacement.square().sum(dim=1)
    # the gradient of a square root at 0 is infinite: unmoved pixels are kept out of it
    length = torch.where(squared > 0, squared, torch.ones_like(squared)).sqrt() * (squared > 0)
    return functional.relu(length - limit[:, None, None]).flatten(1).mean(dim=1)


def sample(displacement: Tensor, points: Tensor) -> Tensor:
    """Sample a field at points (N, K, 2) given as (row, column) in px: (N, K, 2), bilinear, exact at pixel centres."""
    height, width = displacement.shape[-2:]
    scale = points.new_tensor([2 / (height - 1), 2 / (width - 1)])
    grid = (points * scale - 1).flip(-1)[:, :, None]
    sampled = resampling.sample(displacement, grid.to(displacement.dtype))
    return sampled[..., 0].transpose(1, 2)
