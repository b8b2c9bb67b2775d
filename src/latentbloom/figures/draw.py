"""All drawings by name; where one fails, the others are still drawn."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from latentbloom.commands import command_line
from latentbloom.errors import LatentbloomError
from latentbloom.figures.from_model import (
    edits,
    interpolation,
    nearest,
    reconstructions,
    samples,
    variations,
)
from latentbloom.figures.from_pictures import colour_rows
from latentbloom.figures.from_run_files import curves
from latentbloom.figures.maps import latent_map
from latentbloom.figures.paths import denoising, films
from latentbloom.figures.scene import MissingPiece, NotApplicable, Scene
from latentbloom.pictures.fonts import drawable, matplotlib_text, say_what_is_missing
from latentbloom.storage.files import reason_of

if TYPE_CHECKING:
    from latentbloom.data.imageset import ImageSet
    from latentbloom.model.autoencoder import AutoencoderModel

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Drawing:
    """A kind of picture.

    Attributes:
        summary: What it shows, in a few words.
        draw: Makes it and returns the files.
        needs: What must be loaded for it: "model", "val", "train".
    """

    summary: str
    draw: Callable[[Scene], list[Path]]
    needs: frozenset[str] = frozenset()


_MODEL = frozenset({"model"})
_VAL = frozenset({"model", "val", "train"})
_TRAIN = frozenset({"model", "train"})

DRAWINGS: dict[str, Drawing] = {
    "curves": Drawing("losses, scores and learning rate over training", curves.draw_curves),
    "samples": Drawing(
        "samples by condition, the same noise in a column", samples.draw_samples, _MODEL
    ),
    "reconstructions": Drawing(
        "originals above their reconstructions, worst to best",
        reconstructions.draw_reconstructions,
        _VAL,
    ),
    "colours": Drawing(
        "training pictures by colour, to check the colours found",
        colour_rows.draw_colours,
        frozenset({"train"}),
    ),
    "classes": Drawing("samples of each class in a file of its own", samples.draw_classes, _MODEL),
    "factors": Drawing(
        "one factor by another, from the same noise", variations.draw_factors, _MODEL
    ),
    "interpolation": Drawing(
        "interpolation between two seeds and between two conditions",
        interpolation.draw_interpolation,
        _MODEL,
    ),
    "neighbours": Drawing(
        "samples beside their nearest training pictures", nearest.draw_neighbours, _TRAIN
    ),
    "prior": Drawing("decoded noise, without and with the denoiser", samples.draw_prior, _MODEL),
    "guidance": Drawing("guidance by number of steps", variations.draw_guidance, _MODEL),
    "path": Drawing(
        "steps from noise to picture, and their path on the latent map",
        denoising.draw_denoising_path,
        _VAL,
    ),
    "map": Drawing(
        "latents of pictures and samples, by PCA and t-SNE", latent_map.draw_latent_map, _VAL
    ),
    "edits": Drawing("real pictures with one condition changed", edits.draw_edits, _VAL),
    "animation": Drawing("animation from noise to picture", films.draw_animations, _MODEL),
}
"""In drawing order: slow ones last, so that a time limit cuts few."""


def draw_figures(
    model: AutoencoderModel | None,
    val: ImageSet | None,
    run: Path | str,
    *,
    train: ImageSet | None = None,
    what: Sequence[str] | None = None,
    seed: int = 0,
    seconds: float | None = None,
    on_missing: Callable[[str, str], None] | None = None,
    on_drawn: Callable[[str, list[Path], float], None] | None = None,
) -> list[Path]:
    """Draw what can be drawn into run/figures.

    Arguments:
        model: The trained model, its autoencoder alone, or None to draw only what needs neither.
        val: Held-out pictures, or None.
        run: The run folder.
        train: Training pictures: for nearest neighbours, and used where there is no `val`.
        what: Names in `DRAWINGS`; default all.
        seed: Decides every random choice.
        seconds: No drawing is started after so many; None draws all.
        on_missing: Called with (name, reason) for each drawing that was not made. By default these
            are logged, except drawings that do not apply to this kind of model.
        on_drawn: Called with (name, files, seconds) for each drawing that was made.

    Returns:
        The files, in order.

    Raises:
        OSError: A file could not be written; the other drawings are there.
    """
    scene = Scene(Path(run), model, val, train, seed)
    return draw_scene(scene, what, seconds=seconds, on_missing=on_missing, on_drawn=on_drawn)


def draw_scene(
    scene: Scene,
    what: Sequence[str] | None = None,
    *,
    seconds: float | None = None,
    on_missing: Callable[[str, str], None] | None = None,
    on_drawn: Callable[[str, list[Path], float], None] | None = None,
) -> list[Path]:
    """`draw_figures` for a scene that exists already."""
    missing = on_missing or _log_missing
    factors = () if scene.model is None else scene.model.spec.factors
    labels = [word for factor in factors for word in (factor.name, *factor.values)]
    say_what_is_missing(labels)
    with matplotlib_text(map(drawable, labels)):
        return _draw_each(scene, what or tuple(DRAWINGS), seconds, missing, on_missing, on_drawn)


def _draw_each(
    scene: Scene,
    what: Sequence[str],
    seconds: float | None,
    missing: Callable[[str, str], None],
    on_missing: Callable[[str, str], None] | None,
    on_drawn: Callable[[str, list[Path], float], None] | None,
) -> list[Path]:
    begin = time.monotonic()
    files: list[Path] = []
    refused: OSError | None = None
    for name in what:
        started = time.monotonic()
        if seconds is not None and started - begin > seconds:
            command = command_line("show", scene.run, name)
            missing(name, f"time was up; `{command}` draws it")
            continue
        try:
            made = DRAWINGS[name].draw(scene)
        except NotApplicable as reason:
            if on_missing is not None:
                on_missing(name, str(reason))
        except MissingPiece as reason:
            missing(name, str(reason))
        except LatentbloomError as error:
            missing(name, str(error))
        except OSError as error:
            missing(name, reason_of(error))
            refused = refused or error
        except Exception as error:  # one drawing must not stop the others, or the run
            logger.exception("Drawing '%s' failed", name)
            missing(name, f"it failed: {type(error).__name__}: {error}")
        else:
            files += made
            if on_drawn is not None:
                on_drawn(name, made, time.monotonic() - started)
    if refused is not None:
        raise refused
    return files


def _log_missing(name: str, reason: str) -> None:
    logger.warning("Not drawn: %s (%s)", name, reason)
