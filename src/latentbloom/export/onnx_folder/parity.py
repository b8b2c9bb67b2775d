"""How far an ONNX export is from the model that it was made from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from latentbloom.diffusion.guidance import guide
from latentbloom.export.onnx_folder.sampler import Sampler, noise_for, outputs
from latentbloom.model.generator import Model
from latentbloom.model.request import Request

PICTURES = 4


def measure_parity(model: Model, folder: Path) -> dict[str, float]:
    """Largest absolute differences for the same inputs and noise.

    Arguments:
        model: The model, in float32 on the CPU.
        folder: Its export.

    Returns:
        By what was compared. Latents are normalised, pictures are in [-1, 1].
    """
    exported = Sampler(folder)
    settings = exported.about["sampling"]["default"]
    request = Request(_conditions(model), seed=0)
    noise = request.noise(model.autoencoder.latent_shape)
    cond = request.cond(model.spec)
    rows = np.array([exported.indices(words) for words in request.asked], np.int64)
    found: dict[str, float] = {}
    w = settings["guidance"]
    guided = guide(model.denoiser, model.spec, w, shown=model.shown)
    with torch.no_grad():
        found["denoiser"] = max(
            _distance(
                exported.estimate(noise.numpy(), t, rows, w),
                guided(noise, torch.full((len(noise),), t), cond),
            )
            for t in (0.05, 0.5, 0.95)
        )
    last = noise
    for state in model.states(
        request,
        denoiser=model.guided(w),
        sampler=settings["sampler"],
        num_steps=settings["num_steps"],
    ):
        last = state.x_t
    z = exported.latents(noise.numpy(), rows)
    image = outputs(exported.decoder, {"z": z})[0]
    found["latent after all steps"] = _distance(z, last)
    found["picture after all steps"] = _distance(image, model.decode(last))
    found["decoder"] = _distance(
        outputs(exported.decoder, {"z": last.numpy()})[0], model.decode(last)
    )
    mean, std = outputs(exported.encoder, {"image": image})
    posterior = model.encode(torch.from_numpy(image))
    found["encoder, mean"] = _distance(mean, posterior.mean)
    found["encoder, standard deviation"] = _distance(std, posterior.std)
    ours = noise_for(0, list(range(PICTURES)), list(noise.shape[1:]))
    found["noise of the same seed"] = _distance(ours, noise)
    return found


def _conditions(model: Model) -> list[dict[str, str]]:
    """The first combinations of values, and a picture that may be anything."""
    found = [words for words, _ in zip(model.spec.combinations(), range(PICTURES), strict=False)]
    return [*(found + [{}] * PICTURES)[: PICTURES - 1], {}]


def _distance(ours: np.ndarray, theirs: torch.Tensor) -> float:
    return float(np.abs(ours - theirs.detach().numpy()).max())
