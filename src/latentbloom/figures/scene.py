"""What drawings are made from: a run's model, pictures and settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from latentbloom.figures.condition_words import MOST_ROWS, full_conditions
from latentbloom.runs.names import figure_word_of, record_names

if TYPE_CHECKING:
    import torch

    from latentbloom.data.imageset import ImageSet
    from latentbloom.model.autoencoder import AutoencoderModel
    from latentbloom.model.generator import Model


HELD_OUT, TRAINING = "held-out", "training"


class MissingPiece(Exception):  # noqa: N818 - nothing went wrong
    """A drawing cannot be made because something is missing; the text says what."""


class NotApplicable(MissingPiece):
    """A drawing does not apply to this kind of model."""


@dataclass(frozen=True)
class AnimationSettings:
    """Settings of animations.

    Attributes:
        frames: Frames from noise to the final picture.
        fps: Frames per second.
        size: Side of each sample in pixels; None keeps files below 2 MB.
        hold: Extra seconds on the last frame.
        format: "gif", "webp" or "mp4".
    """

    frames: int = 50
    fps: float = 16.0
    size: int | None = None
    hold: float = 1.5
    format: str = "gif"


@dataclass(frozen=True)
class Scene:
    """Everything that a drawing may use.

    Arguments:
        run: The run folder, where figures are written.
        model: The trained model; before stage 2 its autoencoder; None before that.
        val: Held-out pictures, if there are any.
        train: Training pictures, if they can be read.
        seed: Decides every random choice.
        words: Conditions that the user asked for; drawings show only these.
        animation: How animations are made.
        log: Logarithmic or linear axes of curves; None chooses for each curve.
        memory: Results that several drawings use, computed once.
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
        """The folder of figures."""
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
        """The held-out pictures, at least `least` of them.

        Raises:
            MissingPiece: There are fewer.
        """
        if self.val is None or len(self.val) < least:
            raise MissingPiece(_too_few(HELD_OUT, self.val, least))
        return self.val

    def need_train(self, least: int = 1) -> ImageSet:
        """The training pictures, at least `least` of them.

        Raises:
            MissingPiece: There are fewer.
        """
        if self.train is None or len(self.train) < least:
            raise MissingPiece(_too_few(TRAINING, self.train, least))
        return self.train

    def conditions(self, most: int = MOST_ROWS) -> list[dict[str, str]]:
        """The conditions to show, each with a value for every factor: at most `most`."""
        if self.words:
            return [dict(self.words)]
        return full_conditions(self.need_model().spec, most)

    def file_word(self, words: Mapping[str, str]) -> str:
        """A condition in the name of a figure's file; `names.json` says what it stands for."""
        values = {factor.name: factor.values for factor in self.need_model().spec.factors}
        word = figure_word_of(words, values)
        record_names(self.run, {word: words})
        return word

    def real(self, least: int = 1) -> tuple[ImageSet, str]:
        """The held-out pictures, or where there are too few the training pictures; and which.

        Raises:
            MissingPiece: There are too few of both.
        """
        if self.val is not None and len(self.val) >= least:
            return self.val, HELD_OUT
        return self.need_train(least), TRAINING


def need_latents(autoencoder_model: AutoencoderModel) -> AutoencoderModel:
    """The autoencoder, if its latents are not the pixels themselves.

    Raises:
        NotApplicable: The model works on pixels directly.
    """
    if not autoencoder_model.reconstructs:
        raise NotApplicable("this model works on pixels directly, without an autoencoder")
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
    """At most `wanted` of `count` indices, chosen at random without replacement, in order."""
    if count <= wanted:
        return list(range(count))
    chosen = np.random.default_rng(seed).choice(count, wanted, replace=False)
    return sorted(chosen.tolist())
