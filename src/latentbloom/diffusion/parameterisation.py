r"""What a network predicts, and how to come from there to x0_hat and back.

With x_t = alpha x0 + sigma eps, four targets carry the same information:

    eps:   the noise
    x0:    the picture
    v:     alpha eps - sigma x0         (rotation; Salimans and Ho, arXiv:2202.00512, section 4)
    flow:  u = eps - x0                 (velocity of the straight line; arXiv:2209.03003)

Each is a linear function of (x0, eps), hence so is the way back. For v it divides by
alpha^2 + sigma^2, which is 1 on a variance-preserving schedule; for flow by alpha + sigma,
which is 1 on the flow schedule; both formulae hold on every schedule. Only eps divides by
alpha and only x0's way to eps divides by sigma: callers keep t inside the schedule's
[t_min, t_max], where neither vanishes.

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
    """The kind itself, if it is one.

    Raises:
        ConfigError: It is none; the message lists those there are.
    """
    for known in get_args(Prediction):
        if kind == known:
            return known
    raise ConfigError(
        f"'{kind}' is nothing that a network can predict here. "
        f"Choose one of: {', '.join(PREDICTIONS)}."
    )


def prediction_target(kind: str, x0: Tensor, eps: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """What a network of that kind should answer.

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
    """x0_hat from what a network of that kind answered about x_t.

    Arguments:
        kind: "eps" (needs alpha > 0), "v", "x0" or "flow".
        prediction: The network's answer (B, ...).
        x_t: What it was asked about, of the same shape.
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
    """The inverse of `to_x0`: what the network must have answered (needs sigma > 0).

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
    """Size of the error of x0_hat that an error of size 1 in the prediction makes.

    It turns a weight of the x0-error into one of the prediction's error:
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
