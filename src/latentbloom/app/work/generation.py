"""Generating pictures while somebody watches: the predicted clean picture after each step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from latentbloom.app.work.asked import Near
from latentbloom.errors import ConfigError
from latentbloom.model.autoencoder import CHUNK
from latentbloom.model.records import Record, Records
from latentbloom.model.request import Request, records_of

if TYPE_CHECKING:
    import numpy as np
    import torch

    from latentbloom.diffusion import State
    from latentbloom.model.generator import Model

PREVIEW_SECONDS = 0.15
_FRAMES = 40
_NEAR = "near"


@dataclass(frozen=True)
class Recipe:
    """Everything that determines pictures.

    Attributes:
        request: What they show, their seed and their numbers.
        guidance: w >= 0.
        num_steps: Solver steps.
        sampler: Name of the solver.
        near: Start from noise near that of one picture; None: from each picture's own.
    """

    request: Request
    guidance: float
    num_steps: int
    sampler: str
    near: Near | None = None

    @property
    def settings(self) -> dict[str, float | str]:
        """What is written into the pictures' files."""
        known: dict[str, float | str] = {
            "sampler": self.sampler,
            "num_steps": self.num_steps,
            "guidance": self.guidance,
            "seed": self.request.seed,
        }
        if self.near is not None:
            known[_NEAR] = f"{self.near.index} at {self.near.distance:g}"
        return known


Watch = Callable[[int, int, int, "np.ndarray"], None]
"""Called with the first picture's place, the step, the number of steps, and uint8 (n, H, W, C)."""


def generate(
    model: Model,
    recipe: Recipe,
    *,
    check: Callable[[], None] = lambda: None,
    watch: Watch | None = None,
    path: bool = False,
) -> Records:
    """Generate pictures: to the bit those of `model.sample`, watched while they form.

    Arguments:
        model: The model.
        recipe: What to generate.
        check: Called between steps; raises to stop.
        watch: Receives previews, at most every `PREVIEW_SECONDS` and always the first.
        path: Keep all states of each path.
    """
    denoiser = model.guided(recipe.guidance)
    records: list[Record] = []
    for chunk in recipe.request.split(CHUNK):
        check()
        filled = chunk.filled(CHUNK)
        states = model.states(
            filled,
            x_1=_noise(model, filled, recipe.near),
            denoiser=denoiser,
            num_steps=recipe.num_steps,
            sampler=recipe.sampler,
        )
        seen = _watched(model, states, len(records), len(chunk), check, watch)
        records += records_of(chunk, seen, model.decode, path=path)
    return Records(records, recipe.settings)


def preview_pixels(model: Model, z: torch.Tensor) -> np.ndarray:
    """Latents to pictures uint8 (n, H, W, C), without the padding that exact pictures need."""
    import torch

    from latentbloom.data.pixels import to_uint8

    on = model.autocast_dtype is not None
    with torch.no_grad(), torch.autocast(model.device.type, model.autocast_dtype, enabled=on):
        images = model.autoencoder.decode(z.to(model.device))
    return to_uint8(images.float().cpu()).permute(0, 2, 3, 1).numpy()


def path_of(model: Model, recipe: Recipe, check: Callable[[], None]) -> dict[str, Any]:
    """One picture's path: times, and at each the noisy and the predicted clean picture.

    Raises:
        ConfigError: The recipe has more than one picture.
    """
    import torch

    record = _only(generate(model, recipe, check=check, path=True))
    check()
    noisy = torch.stack([moment.x_t for moment in record.path])
    clean = torch.stack([moment.x0_hat for moment in record.path])
    pictures = _pixels(model.decode(torch.cat([noisy, clean])))
    count = len(record.path)
    return {
        "times": [round(moment.t, 4) for moment in record.path],
        "noisy": pictures[:count],
        "clean": pictures[count:],
    }


def film_of(model: Model, recipe: Recipe, check: Callable[[], None]) -> np.ndarray:
    """Frames uint8 (F, H, W, C) of one picture's path from noise."""
    from latentbloom.figures.paths.states import states_between

    record = _only(generate(model, recipe, check=check, path=True))
    check()
    return _pixels(model.decode(states_between(record.path, _FRAMES)))


def _only(records: Records) -> Record:
    if len(records) != 1:
        raise ConfigError(f"A path is that of one picture; this asks for {len(records)}.")
    return records[0]


def _pixels(images: torch.Tensor) -> np.ndarray:
    from latentbloom.data.pixels import to_uint8

    return to_uint8(images).permute(0, 2, 3, 1).numpy()


def _noise(model: Model, request: Request, near: Near | None) -> torch.Tensor | None:
    if near is None:
        return None
    shape = model.autoencoder.latent_shape
    centre = Request(n=1, seed=request.seed, indices=[near.index]).noise(shape)
    # Another stream of noise, so that a neighbour is not another picture of the same seed.
    other = Request(n=len(request), seed=-request.seed - 1, indices=request.indices).noise(shape)
    angle = near.distance * math.pi / 2
    return math.cos(angle) * centre + math.sin(angle) * other  # independent: unit variance stays


def _watched(
    model: Model,
    states: Iterator[State],
    first: int,
    rows: int,
    check: Callable[[], None],
    watch: Watch | None,
) -> Iterator[State]:
    shown = -math.inf
    for state in states:
        check()
        due = time.monotonic() - shown >= PREVIEW_SECONDS and state.step < state.num_steps
        if watch is not None and due:
            watch(first, state.step, state.num_steps, preview_pixels(model, state.x0_hat[:rows]))
            shown = time.monotonic()
        yield state


def described(records: Records, run: str) -> list[dict[str, Any]]:
    """Each picture as PNG with its settings, ready for JSON."""
    from latentbloom.app.work.picture_files import png_uri, settings_of

    found = []
    for record in records:
        about = settings_of(record, records, run)
        found.append({"picture": png_uri(record.image, about), "name": record.name, **about})
    return found
