"""After training: scores, pictures and the report. One part that fails does not take the others."""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from latentbloom.conditions import cond_options
from latentbloom.errors import LatentbloomError
from latentbloom.runs.folder import RunFolder

if TYPE_CHECKING:
    from rich.console import Console

    from latentbloom.data.imageset import ImageSet
    from latentbloom.model.autoencoder import AutoencoderModel
    from latentbloom.model.generator import Model

SHARE_FOR_GUIDANCE = 0.35
SHARE_FOR_SCORES = 0.45  # of what is left then
FEWEST_SCORED = 96  # pictures that short scores draw at the least
FEWEST_GUIDED = 400  # the same for the choice of a guidance
LONGEST_GUIDING = 300.0  # seconds that the choice may take where no minutes were promised
SHORTEST_SCORING = 20.0
SHORTEST_DRAWING = 10.0
LAST_PICTURE = 15.0  # seconds kept for a drawing that begins in time, the report and the card


def finish(
    folder: RunFolder, train: ImageSet, val: ImageSet, seconds: float, console: Console
) -> Model:
    """Score, draw and report a trained model.

    Arguments:
        folder: The run folder.
        train: Training pictures.
        val: Held-out pictures, may be empty.
        seconds: What is left of the promised time.
        console: Where to talk.

    Returns:
        The model.
    """
    from latentbloom.model.generator import load

    model = load(folder.path)
    began = time.monotonic()
    if not folder.scores.exists():
        timed = model.config.train.minutes is not None
        picture = seconds_a_picture(model)
        limit = SHARE_FOR_GUIDANCE * seconds if timed else LONGEST_GUIDING
        if model.config.sampling.tune_guidance and FEWEST_GUIDED * picture < limit:
            # Without minutes a slow moment changes nothing: the same run, the same choice.
            until = limit if timed else float("inf")
            _guard(console, "guidance", lambda: _guide(folder, model, train, until, console))
            model = load(folder.path)
        left = seconds - (time.monotonic() - began)
        if not timed or FEWEST_SCORED * picture < max(left, SHORTEST_SCORING):
            console.print("Scoring ...")
            _guard(console, "scores", lambda: _score(folder, model, train, val, left))
        else:
            console.print(
                f"Not scored: a picture takes {picture:.1f} s, and {left:.0f} s are left. "
                f"`latentbloom evaluate {folder.path} -n 256` does it.",
                soft_wrap=True,
            )
    console.print("Drawing ...")
    left = seconds - (time.monotonic() - began)
    _pictures(folder, model, train, val, console, max(SHORTEST_DRAWING, left - LAST_PICTURE))
    console.print(
        f"Done; scores, pictures and report took {time.monotonic() - began:.0f} s. "
        f"Open {folder.report} in a browser, or ask for pictures:"
    )
    first = model.spec.factors[0]
    shown = shlex.quote(str(folder.path))
    console.print(
        f"  latentbloom sample {shown} {cond_options({first.name: first.values[-1]})} -n 16 --out "
        f"{shlex.quote(str(folder.path / 'samples'))}",
        highlight=False,
        soft_wrap=True,
    )
    return model


def finish_early(
    folder: RunFolder, train: ImageSet, val: ImageSet, console: Console
) -> Model | None:
    """Draw what there is of a run that was stopped; None before stage 2 has begun."""
    from latentbloom.model.autoencoder import load_autoencoder_model
    from latentbloom.model.generator import load

    model: Model | None = None
    shown: AutoencoderModel | None = None
    try:
        shown = model = load(folder.path)
    except LatentbloomError as error:
        console.print(str(error), highlight=False)
        with contextlib.suppress(LatentbloomError):  # not even that: the report says so
            shown = load_autoencoder_model(folder.path)
    _pictures(folder, shown, train, val, console)
    return model


def seconds_a_picture(model: Model) -> float:
    """What a picture among many takes, from pictures of one step and of three."""
    from latentbloom.model.autoencoder import CHUNK

    def seconds(num_steps: int) -> float:
        start = time.perf_counter()
        model.sample(n=1, num_steps=num_steps)  # a whole chunk is computed for it
        return time.perf_counter() - start

    one, three = seconds(1), seconds(3)
    return max(0.0, three - one) / 2 * model.config.sampling.num_steps / CHUNK


def _guide(
    folder: RunFolder, model: Model, train: ImageSet, seconds: float, console: Console
) -> None:
    """Keep the strongest guidance whose samples are as near to training pictures as any."""
    from latentbloom.evaluate.guidance_choice import choose_guidance, strongest

    found = choose_guidance(model, train, seconds=seconds)
    if not found:
        return
    best = strongest(found)
    told = ", ".join(f"{strength:g}: {one.distance:.3f}" for strength, one in found.items())
    console.print(f"Guidance {best:g}, by the distance to training pictures ({told}).")
    folder.load_config().updated({"sampling.guidance": best}).save(folder.config)


def _score(folder: RunFolder, model: Model, train: ImageSet, val: ImageSet, seconds: float) -> None:
    from latentbloom.evaluate.run_scores import evaluate_run
    from latentbloom.figures.from_pictures.copies import draw_copies

    scores = evaluate_run(
        model,
        train,
        val,
        short=True,
        budget_seconds=SHARE_FOR_SCORES * max(seconds, SHORTEST_SCORING),
        on_copies=partial(draw_copies, train=train, path=folder.path / "figures" / "copies.png"),
    )
    scores.save(folder.scores)


def _pictures(
    folder: RunFolder,
    model: AutoencoderModel | None,
    train: ImageSet,
    val: ImageSet,
    console: Console,
    seconds: float | None = None,
) -> None:
    from latentbloom.figures.draw import draw_figures
    from latentbloom.report.card import write_card
    from latentbloom.report.page import write_report

    _guard(
        console,
        "pictures",
        lambda: draw_figures(model, val, folder.path, train=train, seconds=seconds),
    )
    _guard(console, "report", lambda: write_report(folder.path))
    _guard(console, "model card", lambda: write_card(folder.path))


def _guard(console: Console, what: str, run: Callable[[], object]) -> None:
    try:
        run()
    except Exception as error:  # whatever it is, the model and the other parts are worth more
        console.print(f"No {what}: {type(error).__name__}: {error}", highlight=False)
