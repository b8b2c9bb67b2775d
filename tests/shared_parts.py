"""Work around training that several processes share; new processes can import it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch

from latentbloom.config import AutoencoderConfig, DenoiserConfig
from latentbloom.data.audit.run import audit_source
from latentbloom.data.imageset import ImageSet
from latentbloom.data.kept import open_kept
from latentbloom.data.sources.open import open_source
from latentbloom.evaluate.features.extractor import FeatureExtractor
from latentbloom.evaluate.guidance_choice import choose_guidance
from latentbloom.evaluate.run_scores import evaluate_run
from latentbloom.fitting.opening.processes import connect
from latentbloom.latents.encode import encode_raw_latents, finish_latents
from latentbloom.model.build import build_denoiser
from latentbloom.model.generator import Model
from latentbloom.nn.autoencoders.build import build_autoencoder
from tiny_run import tiny_config


def share_work(place: str) -> None:
    """Audit, encode, choose a guidance and score, each with all processes; the first one writes."""
    folder, group = Path(place), connect()
    found: dict[str, Any] = {"processes": group.count}
    source = open_source(folder / "pictures")
    # Every process of a machine has the same cache. Each keeps the pictures that it has decoded.
    audit = audit_source(source, size=32, keep="crop", group=group)
    found["audit"] = audit.model_dump(mode="json", exclude={"seconds"})
    group.wait()
    kept = open_kept(source, size=32, fit="crop")
    assert kept is not None
    found["kept"] = [None if p is None else p.sum().item() for p in map(kept.read, source.entries)]

    faces = open_source("synthetic-faces:320")
    train, val = (
        ImageSet(faces, [e for e in faces.entries if e.split == split], size=32, channels=1)
        for split in ("train", "val")
    )
    model = _model(train)
    out = folder / f"latents-{group.count}"
    cpu = torch.device("cpu")
    mean, std = encode_raw_latents(
        model.autoencoder, train, out, mirror=True, device=cpu, autocast_dtype=None, group=group
    )
    found["moments"] = [mean.tolist(), std.tolist()]
    model.autoencoder.set_normalisation(torch.from_numpy(mean), torch.from_numpy(std))
    cache = finish_latents(model.autoencoder, train, out, mirror=True, fingerprint="x", group=group)
    both = cache.posterior(range(len(train)), [k % 2 for k in range(len(train))])
    latents = torch.stack(both).numpy()
    extractor = FeatureExtractor(size=32)
    guided = choose_guidance(
        model, train, extractor=extractor, cache=folder / f"cache-{group.count}", group=group
    )
    found["guidance"] = {w: [t.distance, t.recall, t.control] for w, t in guided.items()}
    scores = evaluate_run(
        model,
        train,
        val,
        n=24,
        per_label=16,
        extractor=extractor,
        cache=folder / f"cache-{group.count}",
        group=group,
    )
    found["scores"] = scores.model_dump(mode="json", exclude={"seconds"})
    if os.environ.get("RANK", "0") == "0":
        np.save(folder / f"latents-{group.count}.npy", latents)
        (folder / f"found-{group.count}.json").write_text(json.dumps(found))


def _model(images: ImageSet) -> Model:
    """An untrained model, the same in every process."""
    config = tiny_config()
    torch.manual_seed(0)
    shape = AutoencoderConfig(width=16, size=32, channels=1, blocks=1)
    autoencoder = build_autoencoder(shape, images.spec)
    denoiser_shape = config.denoiser
    assert isinstance(denoiser_shape, DenoiserConfig)
    denoiser = build_denoiser(
        denoiser_shape, config.diffusion, images.spec, autoencoder.latent_shape
    )
    cpu = torch.device("cpu")
    return Model(
        config,
        images.spec,
        autoencoder.eval(),
        denoiser,
        device=cpu,
        autocast_dtype=None,
        shown=None,
        run=Path(),
    )
