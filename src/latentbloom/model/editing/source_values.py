"""What a picture shows, found by the model itself.

Three ways, the best that the run allows:

* the autoencoder's own class head (`classic`);
* a linear discriminant on the training latents that the run folder keeps;
* the denoiser: the value under which it removes noise best.
"""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from latentbloom.diffusion import noise_for
from latentbloom.diffusion.sampling import bridge
from latentbloom.nn.autoencoders.classic import LatentClasses

if TYPE_CHECKING:
    from latentbloom.conditions import ConditionSpec, Factor
    from latentbloom.model.latent_model import LatentModel

Probabilities = dict[str, Tensor]
"""For each factor (B, values), rows sum to 1."""

MOST_LATENTS = 20_000
LEVELS = (0.35, 0.5, 0.65, 0.8)
NOISES = 4


def probabilities_of(model: LatentModel, z: Tensor) -> Probabilities:
    """How probable each value of each factor is.

    Arguments:
        model: The model.
        z: Normalised latents (B, C, h, w), on the CPU.
    """
    classes = getattr(model.autoencoder, "classes", None)
    if isinstance(classes, LatentClasses):
        return _by_head(model, classes, z)
    if model.run is not None and (model.run / "latents" / "train").is_dir():
        found = _by_discriminant(model.run, model.spec, z)
        missing = [f for f in model.spec.factors if f.name not in found]
        return found | {f.name: _by_denoiser(model, f, z) for f in missing}
    return {f.name: _by_denoiser(model, f, z) for f in model.spec.factors}


def _by_head(model: LatentModel, classes: LatentClasses, z: Tensor) -> Probabilities:
    shift, scale = model.autoencoder.shift, model.autoencoder.scale
    raw = z.to(model.device) * scale[:, None, None] + shift[:, None, None]
    with torch.no_grad():
        logits = classes.logits(raw.flatten(1))
    return {name: values.softmax(dim=1).cpu() for name, values in logits.items()}


def _by_discriminant(run: Path, spec: ConditionSpec, z: Tensor) -> Probabilities:
    flat = z.flatten(1).double().numpy()
    found = {}
    for name, (classes, rule) in _discriminants(run, spec).items():
        full = np.zeros((len(z), len(spec.factor(name).values)))
        full[:, classes] = rule.predict_proba(flat)
        found[name] = torch.from_numpy(full).float()
    return found


@lru_cache(maxsize=4)
def _discriminants(run: Path, spec: ConditionSpec) -> dict[str, tuple[np.ndarray, Any]]:
    """For each factor that can be learned, its values' indices and a fitted rule."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    from latentbloom.errors import RunFolderError
    from latentbloom.latents.cache import LatentCache

    try:
        cache = LatentCache(run / "latents" / "train")
    except RunFolderError:
        return {}
    chosen = np.random.default_rng(0).permutation(len(cache))[:MOST_LATENTS]
    z = cache.posterior(chosen.tolist())[0].flatten(1).double().numpy()
    labels = cache.labels.numpy()[chosen]
    found = {}
    for column, factor in enumerate(spec.factors):
        known = labels[:, column] != factor.null_index
        if len(set(labels[known, column].tolist())) > 1:
            rule = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
            rule.fit(z[known], labels[known, column])
            found[factor.name] = (rule.classes_, rule)
    return found


def _by_denoiser(model: LatentModel, factor: Factor, z: Tensor) -> Tensor:
    """Probabilities from the error with which noise is removed under each value.

    Source: Li et al., Your Diffusion Model is Secretly a Zero-Shot Classifier (arXiv:2303.16203).
    """
    noise = noise_for(0, range(NOISES), model.autoencoder.latent_shape, stream="source")
    noise = torch.cat([noise, -noise]).to(model.device)
    values, n = len(factor.values), len(noise)
    cond = model.spec.encode({}, values * n)
    cond[factor.name] = torch.arange(values).repeat_interleave(n)
    cond = {name: index.to(model.device) for name, index in cond.items()}
    rows = []
    for one in z.to(model.device):
        score = torch.zeros(values, dtype=torch.float64)
        for s in LEVELS:
            t, scale = bridge(model.denoiser.schedule, 1 - s, s)
            x_t = scale * ((1 - s) * one + s * noise).repeat(values, 1, 1, 1)
            times = torch.full((len(x_t),), t, device=model.device)
            with torch.no_grad():
                x0_hat = model.denoiser(x_t, times, cond)
            error = (x0_hat - one).square().flatten(1).sum(dim=1).double().cpu()
            snr = ((1 - s) / s) ** 2
            score -= snr * error.unflatten(0, (values, n)).mean(dim=1) / 2
        rows.append((score / math.sqrt(len(LEVELS))).softmax(dim=0).float())
    return torch.stack(rows)
