"""All drawings by name, made one after the other so that one that fails costs no other."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from latentbloom.errors import LatentbloomError
from latentbloom.figures.from_model import (
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
        needs: What has to be loaded for it: "model", "val", "train".
    """

    summary: str
    draw: Callable[[Scene], list[Path]]
    needs: frozenset[str] = frozenset()


_MODEL = frozenset({"model"})
_VAL = frozenset({"model", "val", "train"})
_TRAIN = frozenset({"model", "train"})

DRAWINGS: dict[str, Drawing] = {
    "curves": Drawing("losses, scores and learning rate over training", curves.draw_curves),
    "samples": Drawing("class by sample, the same noise in a column", samples.draw_samples, _MODEL),
    "reconstructions": Drawing(
        "originals above reconstructions, worst to best", reconstructions.draw_reconstructions, _VAL
    ),
    "colours": Drawing(
        "training pictures by colour, to check what was found",
        colour_rows.draw_colours,
        frozenset({"train"}),
    ),
    "classes": Drawing("samples of each class for itself", samples.draw_classes, _MODEL),
    "factors": Drawing("factor by factor from the same noise", variations.draw_factors, _MODEL),
    "interpolation": Drawing(
        "between two seeds and between two conditions", interpolation.draw_interpolation, _MODEL
    ),
    "neighbours": Drawing(
        "samples beside their nearest training pictures", nearest.draw_neighbours, _TRAIN
    ),
    "prior": Drawing("noise decoded without and with the denoiser", samples.draw_prior, _MODEL),
    "guidance": Drawing("guidance by steps", variations.draw_guidance, _MODEL),
    "path": Drawing(
        "from noise to picture, and the way through the latent map",
        denoising.draw_denoising_path,
        _VAL,
    ),
    "map": Drawing(
        "latents by PCA and t-SNE, with generated ones", latent_map.draw_latent_map, _VAL
    ),
    "animation": Drawing("noise becoming a picture, moving", films.draw_animations, _MODEL),
}
"""In the order in which they are drawn: what takes seconds comes last, where time is short."""


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
        val: Pictures kept aside, or None.
        run: The run folder.
        train: Training pictures, for nearest neighbours, and where there is no `val`.
        what: Names in `DRAWINGS`; default all.
        seed: Decides every random choice.
        seconds: No drawing is begun after so many; None draws all.
        on_missing: Is told (name, reason) of a drawing that was not made; default a log line, but
            for those that models of this kind have no use for.
        on_drawn: Is told (name, files, seconds) of each that was.

    Returns:
        The files, in order.
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
    """`draw_figures` for a scene that is put together already."""
    missing = on_missing or _log_missing
    begin = time.monotonic()
    files: list[Path] = []
    for name in what or DRAWINGS:
        started = time.monotonic()
        if seconds is not None and started - begin > seconds:
            missing(name, f"time was up; `latentbloom show {scene.run} {name}` draws it")
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
        except Exception as error:  # one drawing must not cost the others, or the run
            logger.exception("Drawing '%s' failed", name)
            missing(name, f"it failed: {type(error).__name__}: {error}")
        else:
            files += made
            if on_drawn is not None:
                on_drawn(name, made, time.monotonic() - started)
    return files


def _log_missing(name: str, reason: str) -> None:
    logger.warning("Not drawn: %s (%s)", name, reason)
