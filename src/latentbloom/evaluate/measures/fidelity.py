"""How faithful a reconstruction is, picture by picture."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

BORDER = 5
"""Pixels at each side where SSIM's 11-pixel window does not fit into the picture."""


def psnr(pictures: Tensor, others: Tensor) -> Tensor:
    """Peak signal-to-noise ratio, 10 log10(255^2 / mean squared error).

    Arguments:
        pictures: uint8 (B, C, H, W).
        others: uint8, same shape.

    Returns:
        float32 (B,), in decibels. Equal pictures count as if one value were off by 1, so that a
        mean over pictures stays finite.
    """
    from torchmetrics.functional.image import peak_signal_noise_ratio

    found = peak_signal_noise_ratio(
        others.float(), pictures.float(), data_range=255.0, dim=(1, 2, 3), reduction="none"
    )
    return found.clamp(max=10.0 * math.log10(255.0**2 * pictures[0].numel()))


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
    from torchmetrics.functional.image import structural_similarity_index_measure

    # The library's own mean takes in the border, where part of the window is padding.
    _, places = structural_similarity_index_measure(
        others.float(),
        pictures.float(),
        data_range=255.0,
        reduction="none",
        return_full_image=True,
    )
    return places[..., BORDER:-BORDER, BORDER:-BORDER].mean(dim=(1, 2, 3))


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
