r"""What a network can predict, and the conversions to x0_hat and back.

With x_t = alpha x0 + sigma eps, four targets carry the same information:

    eps:   the noise
    x0:    the picture
    v:     alpha eps - sigma x0         (rotation; Salimans and Ho, arXiv:2202.00512, section 4)
    flow:  u = eps - x0                 (velocity of the straight line; arXiv:2209.03003)

Each is a linear function of (x0, eps), and so is its inverse. The inverse for v divides by
alpha^2 + sigma^2, which is 1 on a variance-preserving schedule; that for flow by alpha + sigma,
which is 1 on the flow schedule. Both formulas hold on every schedule. Only eps to x0 divides by
alpha, and only x0 to eps divides by sigma: callers keep t inside the schedule's [t_min, t_max],
where neither is zero.

All functions are elementwise; alpha and sigma are scalars or broadcast against x_t
(`expand_like` makes (B,) into (B, 1, 1, 1)).
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from latentbloom.errors import ConfigError

Prediction = Literal["eps", "v", "x0", "flow"]
PREDICTIONS: tuple[str, ...] = get_args(Prediction)


def expand_like(scale: Tensor, x: Tensor) -> Tensor:
    """A tensor (B,) viewed as (B, 1, ..., 1), with as many dimensions as x (B, ...)."""
    return scale.reshape(scale.shape + (1,) * (x.ndim - scale.ndim))


def check_prediction(kind: str) -> Prediction:
    """Check the name of a kind of prediction, and return it.

    Raises:
        ConfigError: The name is unknown; the message lists the known ones.
    """
    for known in get_args(Prediction):
        if kind == known:
            return known
    raise ConfigError(
        f"'{kind}' is no kind of prediction. Choose one of: {', '.join(PREDICTIONS)}."
    )


def prediction_target(kind: str, x0: Tensor, eps: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """The training target of a network of that kind.

    Arguments:
        kind: "eps", "v", "x0" or "flow".
        x0: Clean picture or latent (B, ...).
        eps: The noise in it, of x0's shape.
        alpha: Signal scale, broadcast against x0.
        sigma: Noise scale, broadcast against x0.

    Returns:
        The target, of x0's shape.
    """
    match check_prediction(kind):
        case "eps":
            return eps
        case "x0":
            return x0
        case "v":
            return alpha * eps - sigma * x0
        case "flow":
            return eps - x0


def to_x0(kind: str, prediction: Tensor, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """x0_hat from the prediction of a network of that kind.

    Arguments:
        kind: "eps" (needs alpha > 0), "v", "x0" or "flow".
        prediction: The network's prediction (B, ...).
        x_t: The noisy picture or latent that it is for, of the same shape.
        alpha: Signal scale, broadcast against x_t.
        sigma: Noise scale, broadcast against x_t.

    Returns:
        x0_hat, of x_t's shape.
    """
    match check_prediction(kind):
        case "eps":
            return (x_t - sigma * prediction) / alpha
        case "x0":
            return prediction
        case "v":
            return (alpha * x_t - sigma * prediction) / (alpha**2 + sigma**2)
        case "flow":
            return (x_t - sigma * prediction) / (alpha + sigma)


def from_x0(kind: str, x0_hat: Tensor, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """The inverse of `to_x0`: the prediction that gives x0_hat (needs sigma > 0).

    Arguments:
        kind: "eps", "v", "x0" or "flow".
        x0_hat: Estimate of the clean picture (B, ...).
        x_t: The noisy one, of the same shape.
        alpha: Signal scale, broadcast against x_t.
        sigma: Noise scale, broadcast against x_t.

    Returns:
        The prediction, of x_t's shape.
    """
    eps = (x_t - alpha * x0_hat) / sigma
    return prediction_target(kind, x0_hat, eps, alpha, sigma)


def x0_gain(kind: str, alpha: Tensor, sigma: Tensor) -> Tensor:
    """The error of x0_hat for an error of 1 in the prediction.

    It converts a weight for errors of x0_hat into one for errors of the prediction:
    (x0_hat - x0)^2 = x0_gain^2 (prediction - target)^2.

    Returns:
        sigma / alpha for eps, 1 for x0, sigma / (alpha^2 + sigma^2) for v,
        sigma / (alpha + sigma) for flow.
    """
    match check_prediction(kind):
        case "eps":
            return sigma / alpha
        case "x0":
            return torch.ones_like(sigma)
        case "v":
            return sigma / (alpha**2 + sigma**2)
        case "flow":
            return sigma / (alpha + sigma)
