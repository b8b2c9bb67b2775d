"""The map of latents: places of real pictures, directions to move in, and what lies between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from latentbloom.errors import ConditionError, ConfigError, RunFolderError, check_count
from latentbloom.words import did_you_mean, listed

if TYPE_CHECKING:
    import torch

    from latentbloom.app.work.asked import Place
    from latentbloom.app.work.held_out import HeldOut
    from latentbloom.conditions import ConditionSpec
    from latentbloom.figures.maps.latent_points import LatentPoints
    from latentbloom.model.autoencoder import AutoencoderModel

COMPONENTS = 8
COLS = 40
_NEIGHBOURS = 6
_SHARPNESS = 4.0


@dataclass(frozen=True)
class Atlas:
    """Latents of real pictures, laid out in two dimensions.

    Attributes:
        points: Latents, labels and small pictures.
        which: "held-out" or "training".
        maps: Coordinates (N, 2) in [0, 1000] by the map's name, y downwards.
        directions: Latents (D,) by name: a class's mean minus that of all, or a principal
            component times its standard deviation.
        spec: The factors of the labels.
        shape: Shape (C, h, w) of a latent.
        shares: Share of the variance that the first two components hold.
    """

    points: LatentPoints
    which: str
    maps: Mapping[str, np.ndarray]
    directions: Mapping[str, np.ndarray]
    spec: ConditionSpec
    shape: tuple[int, ...]
    shares: float

    def describe(self) -> dict[str, Any]:
        """Everything but the pictures, for JSON."""
        labels = self.points.labels
        return {
            "count": len(self.points),
            "which": self.which,
            "maps": {
                name: places.round().astype(int).tolist() for name, places in self.maps.items()
            },
            "factors": [
                {"name": f.name, "values": list(f.values), "of": labels[:, k].tolist()}
                for k, f in enumerate(self.spec.factors)
            ],
            "directions": list(self.directions),
            "cols": COLS,
            "thumb": int(self.points.thumbs.shape[1]),
            "variance": round(self.shares, 4),
            "latent": list(self.shape),
        }

    @cached_property
    def sheet(self) -> bytes:
        """All small pictures as one PNG, `COLS` in a row."""
        from latentbloom.pictures.images import picture_bytes

        thumbs = self.points.thumbs
        count, height, width, _ = thumbs.shape
        rows = -(-count // COLS)
        board = np.zeros((rows * COLS, height, width, 3), np.uint8)
        board[:count] = thumbs
        board = board.reshape(rows, COLS, height, width, 3).transpose(0, 2, 1, 3, 4)
        return picture_bytes(board.reshape(rows * height, COLS * width, 3), ".png")

    def latent(self, place: Place) -> np.ndarray:
        """The latent (D,) of a place.

        Between the pictures of a map it is a mean of the nearest ones, the nearer the heavier.

        Raises:
            ConfigError: The place is not on the map, or the latent has the wrong size.
            ConditionError: There is no such map.
        """
        z = self.points.z
        if place.z is not None:
            if len(place.z) != z.shape[1]:
                raise ConfigError(f"z has {len(place.z)} values. This model's have {z.shape[1]}.")
            return np.asarray(place.z, np.float32)
        if place.point is not None:
            return z[check_count("point", place.point, least=0, most=len(z) - 1)]
        if place.map not in self.maps:
            raise ConditionError(f"'{place.map}' is no map. Known: {listed(list(self.maps))}.")
        away = np.linalg.norm(self.maps[place.map] - (place.x, place.y), axis=1)
        near = np.argsort(away, kind="stable")[:_NEIGHBOURS]
        weights = 1.0 / (away[near] + 1e-3) ** _SHARPNESS
        return (weights @ z[near] / weights.sum()).astype(np.float32)

    def moved(self, z: np.ndarray, amounts: Mapping[str, float]) -> np.ndarray:
        """A latent moved along directions.

        Raises:
            ConditionError: A direction is unknown.
        """
        for name, amount in amounts.items():
            if name not in self.directions:
                raise ConditionError(
                    f"'{name}' is no direction of this map.{did_you_mean(name, self.directions)}"
                )
            z = z + amount * self.directions[name]
        return z.astype(np.float32)

    def tensor(self, rows: Sequence[np.ndarray]) -> torch.Tensor:
        """Flat latents as (N, C, h, w)."""
        import torch

        return torch.from_numpy(np.stack(rows)).reshape(len(rows), *self.shape)


def make_atlas(run: Path, model: AutoencoderModel, held_out: HeldOut) -> Atlas:
    """Encode real pictures and lay them out; some seconds.

    Raises:
        RunFolderError: Neither pictures nor cached latents can be read.
    """
    from latentbloom.figures.maps.latent_points import real_latents
    from latentbloom.figures.maps.projection import principal_components, tsne
    from latentbloom.figures.scene import MissingPiece, Scene

    val = held_out.images if held_out.which == "held-out" else None
    try:
        points, which = real_latents(Scene(run, model, val, held_out.train))
    except MissingPiece as error:
        raise RunFolderError(f"There is no map of {run.name}: {error}.") from None
    plane = principal_components(points.z, min(COMPONENTS, *points.z.shape))
    first_two = plane.transform(points.z)[:, :2]
    spread = np.sqrt(plane.explained_variance_)
    components = {
        f"component {k + 1}": (axis * spread[k]).astype(np.float32)
        for k, axis in enumerate(plane.components_)
    }
    return Atlas(
        points,
        which,
        {"t-SNE": _board(tsne(points.z)), "PCA": _board(first_two)},
        {**_class_directions(points, model.spec), **components},
        model.spec,
        tuple(model.autoencoder.latent_shape),
        float(plane.explained_variance_ratio_[:2].sum()),
    )


def _class_directions(points: LatentPoints, spec: ConditionSpec) -> dict[str, np.ndarray]:
    """For each value the mean of its pictures minus the mean of all labelled ones."""
    found = {}
    for column, factor in enumerate(spec.factors):
        labels = points.labels[:, column]
        known = points.z[labels < len(factor.values)]
        for index, value in enumerate(factor.values):
            mine = points.z[labels == index]
            if len(mine) and len(mine) < len(known):
                found[f"{factor.name}={value}"] = mine.mean(axis=0) - known.mean(axis=0)
    return found


def _board(places: np.ndarray) -> np.ndarray:
    """Coordinates in [0, 1000], y downwards, far ones at the edge."""
    low, high = np.quantile(places, [0.005, 0.995], axis=0)
    scaled = 30 + 940 * (places - low) / np.maximum(high - low, 1e-9)
    scaled[:, 1] = 1000 - scaled[:, 1]
    return scaled.clip(0, 1000)
