"""Latents of real pictures and of samples, for the latent map."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from latentbloom.figures.maps.projection import principal_components
from latentbloom.figures.scene import (
    HELD_OUT,
    TRAINING,
    MissingPiece,
    Scene,
    float_images,
    spread_indices,
)
from latentbloom.pictures.images import as_uint8, enlarge

if TYPE_CHECKING:
    from sklearn.decomposition import PCA

    from latentbloom.conditions import ConditionSpec
    from latentbloom.figures.maps.projection import Numbers
    from latentbloom.pictures.images import Pixels

MOST_REAL = 1500
GENERATED = 160
FEWEST = 16
THUMB = 32


@dataclass(frozen=True)
class LatentPoints:
    """Latents with their labels and small pictures.

    Attributes:
        z: float32 (N, D), normalised and flat.
        labels: int (N, F), an index per factor.
        thumbs: uint8 (N, 32, 32, 3).
    """

    z: Numbers
    labels: np.ndarray
    thumbs: Pixels

    def __len__(self) -> int:
        return len(self.z)

    def __getitem__(self, rows: slice) -> LatentPoints:
        return LatentPoints(self.z[rows], self.labels[rows], self.thumbs[rows])


def real_latents(scene: Scene) -> tuple[LatentPoints, str]:
    """Latents of held-out pictures, or of training pictures where there are too few; and which.

    Where the pictures cannot be read, the latents that training has cached are used, with their
    reconstructions.

    Raises:
        MissingPiece: There are too few of both.
    """
    if "real_latents" not in scene.memory:
        try:
            scene.memory["real_latents"] = _encoded(scene)
        except MissingPiece:
            scene.memory["real_latents"] = _cached(scene)
    return scene.memory["real_latents"]


def _encoded(scene: Scene) -> tuple[LatentPoints, str]:
    model = scene.need_autoencoder()
    images, which = scene.real(FEWEST)
    indices = spread_indices(len(images), MOST_REAL, scene.seed)
    z, thumbs = [], []
    for start in range(0, len(indices), 256):
        x = float_images(images, indices[start : start + 256])
        z.append(model.encode(x).mean.flatten(1).numpy())
        thumbs.append(_small(as_uint8(x)))
    labels = images.labels[np.asarray(indices)]
    return LatentPoints(np.concatenate(z), labels, np.concatenate(thumbs)), which


def _cached(scene: Scene) -> tuple[LatentPoints, str]:
    import torch

    from latentbloom.errors import RunFolderError
    from latentbloom.latents.cache import LatentCache

    model = scene.need_autoencoder()
    for split, which in (("val", HELD_OUT), ("train", TRAINING)):
        folder = scene.run / "latents" / split
        try:
            cache = LatentCache(folder)
        except (RunFolderError, OSError):
            continue
        if len(cache) < FEWEST:
            continue
        indices = spread_indices(len(cache), MOST_REAL, scene.seed)
        mean, _ = cache.posterior(indices)
        decoded = torch.cat([model.decode(part) for part in mean.split(64)])
        cond = cache.cond(model.spec, indices)
        labels = [cond[name].numpy() for name in model.spec.names]
        thumbs = _small(as_uint8(decoded))
        table = np.stack(labels, axis=1) if labels else np.zeros((len(indices), 0), int)
        return LatentPoints(mean.flatten(1).numpy(), table, thumbs), which
    raise MissingPiece(
        f"neither pictures nor cached latents can be read; {FEWEST} of them are needed"
    )


def generated_latents(scene: Scene) -> LatentPoints:
    """Latents of samples, equally many of each condition."""
    if "generated_latents" not in scene.memory:
        model = scene.need_model()
        asked = _asked(scene)
        records = model.sample(asked, seed=scene.seed)
        factors = model.spec.factors
        labels = [[f.index(r.cond.get(f.name, "any")) for f in factors] for r in records]
        z = np.stack([r.z.flatten().float().numpy() for r in records])
        scene.memory["generated_latents"] = LatentPoints(
            z,
            np.array(labels, int).reshape(len(records), len(factors)),
            _small(as_uint8(records.pixels)),
        )
    return scene.memory["generated_latents"]


def _asked(scene: Scene) -> list[dict[str, str]]:
    """A condition per sample: all combinations in turn, or an even choice of them."""
    if scene.words:
        return [dict(scene.words)] * GENERATED
    spec = scene.need_model().spec
    count = math.prod(len(f.values) for f in spec.factors)
    return [combination(spec, k * count // GENERATED) for k in range(GENERATED)]


def combination(spec: ConditionSpec, place: int) -> dict[str, str]:
    """The combination with that number, the last factor running fastest, without listing them."""
    words: dict[str, str] = {}
    for factor in reversed(spec.factors):
        place, value = divmod(place, len(factor.values))
        words[factor.name] = factor.values[value]
    return words


def plane_of(scene: Scene) -> PCA:
    """The two principal components of the real latents."""
    if "plane" not in scene.memory:
        scene.memory["plane"] = principal_components(real_latents(scene)[0].z, 2)
    return scene.memory["plane"]


def _small(pixels: Pixels) -> Pixels:
    return enlarge(pixels, THUMB / max(pixels.shape[1:3]))
