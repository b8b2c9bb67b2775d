"""Editing a user's picture, or a held-out one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from latentbloom.app.limits import Limits
from latentbloom.app.work.picture_files import png, png_uri
from latentbloom.app.work.uploads import fit_upload
from latentbloom.errors import ConfigError, RunFolderError

if TYPE_CHECKING:
    import numpy as np

    from latentbloom.app.jobs import Job
    from latentbloom.app.served_run import ServedRun
    from latentbloom.model.generator import Model


@dataclass(frozen=True)
class Original:
    """The picture to edit: a user's file, or the number of a held-out one."""

    content: bytes | None
    held_out: int | None

    def __post_init__(self) -> None:
        if (self.content is None) == (self.held_out is None):
            raise ConfigError("Send a picture, or the number of a held-out one: one of the two.")


@dataclass(frozen=True)
class Change:
    """What to make of it.

    Attributes:
        to: Words by factor.
        strengths: Each in [0, 1].
        method: A name of a method of editing.
    """

    to: Mapping[str, str]
    strengths: Sequence[float]
    method: str


def fitted(run: ServedRun, original: Original, limits: Limits) -> tuple[np.ndarray, str]:
    """The picture uint8 (C, size, size) as the model needs it, and what was done to it."""
    model = _model(run)
    if original.content is not None:
        found = fit_upload(original.content, model.config.data, limits)
        return found.pixels, found.note
    assert original.held_out is not None
    pictures = run.held_out()
    pixels = pictures.pixels([original.held_out])[0].transpose(2, 0, 1)
    return pixels, f"A {pictures.which} picture of this run."


def describe_original(run: ServedRun, original: Original, limits: Limits) -> dict[str, Any]:
    """The picture as the model sees it, and what the model finds in it."""
    pixels, note = fitted(run, original, limits)
    words, sure = _model(run).find_source(_batch(pixels))
    return {
        "picture": png_uri(pixels.transpose(1, 2, 0)),
        "note": note,
        "source": words[0],
        "confidence": {name: round(p, 4) for name, p in sure[0].items()},
    }


def edited(
    run: ServedRun, original: Original, change: Change, limits: Limits, job: Job
) -> dict[str, Any]:
    """The picture at each strength."""
    pixels, note = fitted(run, original, limits)
    strips = _edit(run, pixels, change, job)
    first = strips[0][0]
    return {
        "original": png_uri(first.original),
        "note": note,
        "source": first.source,
        "confidence": {name: round(p, 4) for name, p in first.confidence.items()},
        "cond": first.cond,
        "unchanged": first.unchanged,
        "strengths": list(change.strengths),
        "pictures": [
            png_uri(strip[0].image, _about(run, strip.settings, strip[0].cond)) for strip in strips
        ],
        "settings": strips[0].settings,
    }


def edited_png(
    run: ServedRun, original: Original, change: Change, limits: Limits, job: Job
) -> bytes:
    """The picture at the first strength as PNG, its settings inside."""
    pixels, _ = fitted(run, original, limits)
    strip = _edit(run, pixels, change, job)[0]
    return png(strip[0].image, _about(run, strip.settings, strip[0].cond))


def _edit(run: ServedRun, pixels: np.ndarray, change: Change, job: Job) -> Any:
    job.check()
    return _model(run).edit_strip(
        _batch(pixels),
        change.to,
        strengths=change.strengths,
        method=change.method,
        on_progress=lambda *_: job.check(),
    )


def _about(run: ServedRun, settings: Mapping[str, Any], cond: Mapping[str, str]) -> dict[str, Any]:
    return {"run": run.name, "edit": dict(settings), "cond": dict(cond)}


def _model(run: ServedRun) -> Model:
    model = run.model()
    if not model.reconstructs:
        raise RunFolderError("This model works on pixels directly; it cannot edit pictures.")
    return model


def _batch(pixels: np.ndarray) -> Any:
    import torch

    return torch.from_numpy(pixels.copy())[None]
