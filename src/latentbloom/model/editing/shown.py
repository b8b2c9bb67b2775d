"""What an edit shows: the original, changed by what the decoder makes of both latents."""

from __future__ import annotations

from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

SMOOTHING = 3 / 64
"""Standard deviation of the blur, in sides of the picture."""

NEW_SHAPES = 0.1
"""Fine change, blurred, of values in [-1, 1], from which on no detail of the original stays."""


def changed_picture(original: Tensor, before: Tensor, after: Tensor) -> Tensor:
    r"""The original, with the change of the decoded latents.

    .. math:: x + d - m (x - D(z)), \qquad d = D(z') - D(z), \quad
        m = \min(1, G |d - G d| / 0.1)^2

    with G a Gaussian blur, and the mean over channels of the absolute value. Where nothing changes,
    or colour and light alone (m near 0), the detail x - D(z) that the decoder has lost stays. Where
    shapes change, it belongs to what is gone: the teeth of a mouth that is now closed. There D(z')
    is shown. Equal latents leave the original as it is.

    Arguments:
        original: x, pictures (B, C, H, W) in [-1, 1].
        before: D(z), decoded from their own latents.
        after: D(z'), decoded from the edited ones.

    Returns:
        Shape (B, C, H, W); may overshoot [-1, 1].
    """
    change = after - before
    fine = (change - _blurred(change)).abs().mean(dim=1, keepdim=True)
    share = (_blurred(fine) / NEW_SHAPES).clamp(max=1.0).square()
    return original + change - share * (original - before)


def _blurred(x: Tensor) -> Tensor:
    sigma = SMOOTHING * max(x.shape[-2:])
    kernel = 2 * round(2 * sigma) + 1
    return gaussian_blur(x, [kernel, kernel], [sigma, sigma])
