"""The training objective: the loss, the times, and which conditions are dropped.

Random numbers are arguments, so every function is deterministic and can be tested against a
formula.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import Tensor

from latentbloom.diffusion.denoiser import Cond, Denoiser
from latentbloom.diffusion.parameterisation import prediction_target, x0_gain
from latentbloom.errors import ConfigError, check_number

if TYPE_CHECKING:
    from latentbloom.conditions import ConditionSpec

Times = Literal["uniform", "logit-normal", "steps"]
Weighting = Literal["uniform", "min-snr"]

NUM_STEPS = 1000


def diffusion_loss(
    denoiser: Denoiser,
    x0: Tensor,
    cond: Cond,
    t: Tensor,
    eps: Tensor,
    weighting: str = "uniform",
) -> Tensor:
    """Weighted squared error of the denoiser's prediction, one value per picture.

        x_t = alpha_t x0 + sigma_t eps
        loss = w(t) mean((prediction(x_t, t, cond) - target(x0, eps))^2)

    Arguments:
        denoiser: The denoiser; the error is taken in the space that it predicts in.
        x0: Clean pictures or normalised latents (B, ...).
        cond: LongTensor (B,) for each factor, some set to "any" by `drop_conditions`.
        t: Times (B,) in [0, 1], clamped to the schedule's [t_min, t_max].
        eps: Standard normal noise of x0's shape.
        weighting: "uniform" (w = 1) or "min-snr", see `loss_weight`.

    Returns:
        The loss (B,), float32 or better, without unit; the caller averages.

    Raises:
        ConfigError: The weighting is unknown.
    """
    t, alpha, sigma = denoiser.scales(x0, t)
    x0, eps = x0.to(t.dtype), eps.to(t.dtype)
    x_t = alpha * x0 + sigma * eps
    target = prediction_target(denoiser.kind, x0, eps, alpha, sigma)
    error = (denoiser.prediction(x_t, t, cond) - target).square().flatten(1).mean(dim=1)  # (B,)
    return loss_weight(weighting, denoiser.kind, alpha.flatten(), sigma.flatten()) * error


def loss_weight(
    weighting: str, kind: str, alpha: Tensor, sigma: Tensor, *, gamma: float = 5.0
) -> Tensor:
    """The weight of a time, for squared errors of the prediction.

    "uniform" is 1. "min-snr" weights the squared error of x0_hat by min(SNR, gamma), whatever
    is predicted; for eps this is min(SNR, gamma) / SNR, for v on a variance-preserving schedule
    min(SNR, gamma) / (SNR + 1).

    Arguments:
        weighting: "uniform" or "min-snr".
        kind: What is predicted.
        alpha: Signal scale (B,).
        sigma: Noise scale (B,), positive.
        gamma: Largest weight, positive, without unit.

    Returns:
        Weights (B,).

    Raises:
        ConfigError: The weighting is unknown, or gamma is not positive.

    Source: Hang et al., Efficient Diffusion Training via Min-SNR Weighting Strategy
    (arXiv:2303.09556), section 3.4.
    """
    if weighting == "uniform":
        return torch.ones_like(alpha)
    if weighting == "min-snr":
        check_number("gamma", gamma, positive=True)
        snr = (alpha / sigma).square()
        return snr.clamp(max=gamma) * x0_gain(kind, alpha, sigma).square()
    raise ConfigError(
        f"'{weighting}' is no weighting. Choose one of: {', '.join(get_args(Weighting))}."
    )


def sample_times(
    kind: str, u: Tensor, *, stratified: bool = False, mean: float = 0.0, std: float = 1.0
) -> Tensor:
    """Times to train at, from uniform random numbers.

    "uniform": t = u. "steps": DDPM's times 1/1000, 2/1000, ..., 1, equally likely.
    "logit-normal": t = sigmoid(mean + std z), z the standard normal quantile of u, which prefers
    the middle times. With `stratified`, row i uses (i + u_i) / B in place of u_i: each batch
    covers all times evenly, and its loss varies less.

    Arguments:
        kind: "uniform", "steps" or "logit-normal".
        u: Uniform numbers in [0, 1), shape (B,), float32 or float64.
        stratified: One time from each of B equal intervals, in increasing order.
        mean: Mean of logit(t), only for "logit-normal".
        std: Standard deviation of logit(t), positive, only for "logit-normal".

    Returns:
        Times (B,) in [0, 1], of u's dtype.

    Raises:
        ConfigError: The kind is unknown, or the mean or standard deviation makes no sense.

    Source: Ho et al., Denoising Diffusion Probabilistic Models (arXiv:2006.11239), algorithm 1;
    Esser et al., Scaling Rectified Flow Transformers (arXiv:2403.03206), eq. 19;
    Kingma et al., Variational Diffusion Models (arXiv:2107.00630), appendix I.1.
    """
    if stratified:
        u = (torch.arange(len(u), dtype=u.dtype, device=u.device) + u) / len(u)
    if kind == "uniform":
        return u
    if kind == "steps":
        return ((u * NUM_STEPS).floor() + 1).clamp_max(NUM_STEPS) / NUM_STEPS
    if kind == "logit-normal":
        check_number("mean", mean)
        check_number("std", std, positive=True)
        tiny = torch.finfo(u.dtype).eps  # the quantiles of 0 and 1 are infinite
        z = math.sqrt(2) * torch.erfinv(2 * u.clamp(tiny, 1 - tiny) - 1)
        return torch.sigmoid(mean + std * z)
    raise ConfigError(
        f"'{kind}' is no way to choose times. Choose one of: {', '.join(get_args(Times))}."
    )


def drop_conditions(
    spec: ConditionSpec, cond: Cond, u: Tensor, *, drop_all: float, drop_each: float = 0.0
) -> Cond:
    """Drop conditions, that is set them to "any", in some rows.

    With probability `drop_all` a row loses all factors: this trains the unconditional estimate
    that guidance needs. If there are several factors, each one is also dropped on its own with
    probability `drop_each`: this trains estimates under some of the factors.

    Arguments:
        spec: The factors.
        cond: LongTensor (B,) for each factor.
        u: Uniform numbers in [0, 1), shape (B, 1 + number of factors).
        drop_all: Probability in [0, 1].
        drop_each: Probability in [0, 1]; no effect with one factor.

    Returns:
        New conditions, of the same shapes.

    Raises:
        ConfigError: A probability is not between 0 and 1.
    """
    check_number("drop_all", drop_all, least=0, most=1)
    check_number("drop_each", drop_each, least=0, most=1)
    everything = u[:, 0] < drop_all
    each = drop_each if len(spec.names) > 1 else 0.0
    masks = {name: everything | (u[:, 1 + i] < each) for i, name in enumerate(spec.names)}
    return spec.drop(cond, masks)
