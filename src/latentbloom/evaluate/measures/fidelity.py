"""How faithful a reconstruction is, picture by picture."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

SSIM_WIDTH = 11
SSIM_SIGMA = 1.5


def psnr(pictures: Tensor, others: Tensor) -> Tensor:
    """Peak signal-to-noise ratio, 10 log10(255^2 / mean squared error).

    Arguments:
        pictures: uint8 (B, C, H, W).
        others: uint8, same shape.

    Returns:
        float32 (B,), in decibels. Equal pictures count as if one number were off by 1, so that a
        mean over pictures stays finite.
    """
    error = (pictures.float() - others.float()).square().mean(dim=(1, 2, 3))
    error = error.clamp(min=1.0 / pictures[0].numel())
    return 10.0 * torch.log10(255.0**2 / error)


def ssim(pictures: Tensor, others: Tensor) -> Tensor:
    r"""Structural similarity in an 11-pixel Gaussian window, averaged over places and channels.

    .. math:: \frac{(2\mu_x\mu_y + c_1)(2\sigma_{xy} + c_2)}
        {(\mu_x^2 + \mu_y^2 + c_1)(\sigma_x^2 + \sigma_y^2 + c_2)}

    Only places where the whole window fits count.

    Arguments:
        pictures: uint8 (B, C, H, W), H and W at least 11.
        others: uint8, same shape.

    Returns:
        float32 (B,), 1 for equal pictures.

    Source: Wang et al. 2004, IEEE Transactions on Image Processing 13, equation 13.
    """
    x, y = pictures.double(), others.double()
    down, across = (_window_means(side).to(x.device) for side in x.shape[-2:])

    def mean(z: Tensor) -> Tensor:
        return down @ z @ across.T

    c1, c2 = (0.01 * 255.0) ** 2, (0.03 * 255.0) ** 2
    mu_x, mu_y = mean(x), mean(y)
    var_x, var_y = mean(x * x) - mu_x**2, mean(y * y) - mu_y**2
    cov = mean(x * y) - mu_x * mu_y
    ratio = ((2 * mu_x * mu_y + c1) * (2 * cov + c2)) / (
        (mu_x**2 + mu_y**2 + c1) * (var_x + var_y + c2)
    )
    return ratio.mean(dim=(1, 2, 3)).float()


def _window_means(side: int) -> Tensor:
    """float64 (side - 10, side): each row is the window at one place of a line of pixels."""
    steps = torch.arange(SSIM_WIDTH, dtype=torch.float64) - SSIM_WIDTH // 2
    line = torch.exp(-steps.square() / (2.0 * SSIM_SIGMA**2))
    rows = torch.zeros(side - SSIM_WIDTH + 1, side, dtype=torch.float64)
    for place in range(len(rows)):
        rows[place, place : place + SSIM_WIDTH] = line / line.sum()
    return rows


def map_distance(maps: Sequence[Tensor], others: Sequence[Tensor]) -> Tensor:
    r"""Distance in feature maps whose places are scaled to unit length.

    .. math:: d = \sum_l \frac{1}{h_l w_l} \sum_p \lVert \hat f_l(x)_p - \hat f_l(y)_p \rVert^2

    Arguments:
        maps: For each layer (B, C, h, w).
        others: The same shapes.

    Returns:
        float32 (B,), from 0 to 4 times the number of layers.

    Source: Zhang et al. 2018, arXiv:1801.03924, equation 1, without learned weights.
    """
    total = torch.zeros(len(maps[0]))
    for a, b in zip(maps, others, strict=True):
        apart = F.normalize(a.float(), dim=1) - F.normalize(b.float(), dim=1)
        total += apart.square().sum(dim=1).mean(dim=(1, 2)).cpu()
    return total
