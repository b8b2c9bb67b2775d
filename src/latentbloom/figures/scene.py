"""What a drawing is made from, and the words it uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from latentbloom.figures.condition_words import MOST_ROWS, full_conditions

if TYPE_CHECKING:
    import torch

    from latentbloom.data.imageset import ImageSet
    from latentbloom.model.autoencoder import AutoencoderModel
    from latentbloom.model.generator import Model


HELD_OUT, TRAINING = "held-out", "training"


class MissingPiece(Exception):  # noqa: N818 - nothing went wrong
    """A drawing cannot be made, because a piece is not there; the text says which."""


class NotApplicable(MissingPiece):
    """A drawing says nothing about models of this kind, and nobody misses it."""


@dataclass(frozen=True)
class AnimationSettings:
    """How an animation is made.

    Attributes:
        frames: Pictures from noise to the end.
        fps: Frames a second.
        size: Side of each sample in pixels; None chooses one that keeps files small.
        hold: Seconds that the last frame stays.
        format: "gif", "webp" or "mp4".
    """

    frames: int = 50
    fps: float = 16.0
    size: int | None = None
    hold: float = 1.5
    format: str = "gif"


@dataclass(frozen=True)
class Scene:
    """Everything a drawing may look at.

    Arguments:
        run: The run folder that figures are written to.
        model: The trained model, or before stage 2 has begun its autoencoder, when there is one.
        val: Pictures that were kept aside, when there are any.
        train: Pictures that were trained on, when they can be read.
        seed: Decides every random choice.
        words: Conditions that the user asked for; a drawing of one condition shows these.
        animation: How animations are made.
        log: Logarithmic or linear axes of curves; None chooses for each.
        memory: What drawings share, so that it is computed once.
    """

    run: Path
    model: AutoencoderModel | None = None
    val: ImageSet | None = None
    train: ImageSet | None = None
    seed: int = 0
    words: Mapping[str, str] | None = None
    animation: AnimationSettings = AnimationSettings()
    log: bool | None = None
    memory: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def figures(self) -> Path:
        """Where figures go."""
        return self.run / "figures"

    def need_model(self) -> Model:
        """The model.

        Raises:
            MissingPiece: There is none.
        """
        from latentbloom.model.generator import Model

        if self.model is None:
            raise MissingPiece("there is no trained model yet")
        if not isinstance(self.model, Model):
            raise MissingPiece("there is no denoiser yet: stage 2 makes it")
        return self.model

    def need_autoencoder(self) -> AutoencoderModel:
        """The autoencoder, with or without a denoiser.

        Raises:
            MissingPiece: There is none.
        """
        if self.model is None:
            raise MissingPiece("there is no trained autoencoder yet")
        return self.model

    def need_val(self, least: int = 1) -> ImageSet:
        """The pictures kept aside, at least so many.

        Raises:
            MissingPiece: There are fewer.
        """
        if self.val is None or len(self.val) < least:
            raise MissingPiece(_too_few(HELD_OUT, self.val, least))
        return self.val

    def need_train(self, least: int = 1) -> ImageSet:
        """The training pictures, at least so many.

        Raises:
            MissingPiece: There are fewer.
        """
        if self.train is None or len(self.train) < least:
            raise MissingPiece(_too_few(TRAINING, self.train, least))
        return self.train

    def conditions(self, most: int = MOST_ROWS) -> list[dict[str, str]]:
        """The conditions to show, each naming every factor: those asked for, else all that fit."""
        if self.words:
            return [dict(self.words)]
        return full_conditions(self.need_model().spec, most)

    def real(self, least: int = 1) -> tuple[ImageSet, str]:
        """The pictures kept aside, or where there are too few those of training; and which.

        Raises:
            MissingPiece: There are too few of both.
        """
        if self.val is not None and len(self.val) >= least:
            return self.val, HELD_OUT
        return self.need_train(least), TRAINING


def need_latents(autoencoder_model: AutoencoderModel) -> AutoencoderModel:
    """The autoencoder, where it has latents that are not the pixels themselves.

    Raises:
        NotApplicable: It hands pixels through.
    """
    if not autoencoder_model.reconstructs:
        raise NotApplicable("this model learns the pixels themselves, without an autoencoder")
    return autoencoder_model


def _too_few(which: str, images: ImageSet | None, least: int) -> str:
    found = 0 if images is None else len(images)
    return (
        f"no {which} pictures can be read"
        if not found
        else f"there are only {found} {which} pictures, and {least} are needed"
    )


def float_images(images: ImageSet, indices: Sequence[int]) -> torch.Tensor:
    """Pictures by index as float (B, C, H, W) in [-1, 1]."""
    from latentbloom.data.pixels import to_float

    return to_float(images.images(list(indices)))


def spread_indices(count: int, wanted: int, seed: int) -> list[int]:
    """At most `wanted` of `count` places, drawn without repeats, in order."""
    if count <= wanted:
        return list(range(count))
    chosen = np.random.default_rng(seed).choice(count, wanted, replace=False)
    return sorted(chosen.tolist())
