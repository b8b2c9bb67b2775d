"""After training: scores, pictures and the report. If one part fails, the others still run."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from latentbloom.commands import command_line
from latentbloom.errors import LatentbloomError, UnfinishedError
from latentbloom.fitting.opening.stored_plan import StoredPlan
from latentbloom.fitting.run_time import seconds_a_picture
from latentbloom.runs.folder import RunFolder
from latentbloom.sharing import ALONE, Group
from latentbloom.storage.files import reason_of

if TYPE_CHECKING:
    from rich.console import Console

    from latentbloom.data.imageset import ImageSet
    from latentbloom.model.autoencoder import AutoencoderModel
    from latentbloom.model.generator import Model

SHARE_FOR_GUIDANCE = 0.35
SHARE_FOR_SCORES = 0.45  # of the rest
FEWEST_SCORED = 96  # samples that short scores need
FEWEST_GUIDED = 400  # samples that the choice of a guidance needs
LONGEST_GUIDING = 300.0  # seconds that the choice may take where no minutes were promised
SHORTEST_SCORING = 20.0
SHORTEST_DRAWING = 10.0
LAST_PICTURE = 15.0  # seconds reserved for the last figure, the report and the model card


def finish(
    folder: RunFolder,
    train: ImageSet,
    val: ImageSet,
    seconds: float,
    console: Console,
    group: Group = ALONE,
) -> Model:
    """Score, draw and report a trained model.

    All processes of the group call this. They share sampling and features; the first one draws and
    writes.

    Arguments:
        folder: The run folder.
        train: Training pictures.
        val: Held-out pictures, may be empty.
        seconds: What is left of the promised time.
        console: Where to print.
        group: The processes.

    Returns:
        The model.

    Raises:
        UnfinishedError: A part could not be made; the others were.
    """
    from latentbloom.model.generator import load

    seconds = group.same(seconds)
    stored = StoredPlan.load(folder.request)
    model = load(folder.path)
    began = time.monotonic()

    def left() -> float:
        return seconds - (time.monotonic() - began)

    complete = True
    if not group.same(folder.scores.exists()):
        wanted = stored.request.sampling
        timed = model.config.train.minutes is not None
        picture = group.same(seconds_a_picture(model) / group.count)
        limit = SHARE_FOR_GUIDANCE * seconds if timed else LONGEST_GUIDING
        if wanted.tune_guidance and FEWEST_GUIDED * picture < limit:
            # Start from the guidance of the request, not from one that was chosen before.
            model.config = model.config.updated({"sampling.guidance": wanted.guidance})
            # Without minutes a slow moment changes nothing: the same run, the same choice.
            until = limit if timed else float("inf")
            guide = partial(_guide, folder, model, train, until, console, group)
            complete &= _guard(console, "guidance", guide, group)
            group.wait()  # the first one has written it
            model = load(folder.path)
        scoring = group.same(left())
        if not timed or FEWEST_SCORED * picture < max(scoring, SHORTEST_SCORING):
            console.print("Scoring ...")
            score = partial(_score, folder, model, train, val, scoring, group)
            complete &= _guard(console, "scores", score, group)
        else:
            console.print(
                f"Not scored: a sample takes {picture:.1f} s, and {scoring:.0f} s are left. To "
                f"score it, run: {command_line('evaluate', folder.path, '-n', 256)}",
                markup=False,
                emoji=False,
                highlight=False,
                soft_wrap=True,
            )
    if not group.first:
        return model
    console.print("Drawing ...")
    complete &= _pictures(
        folder, model, train, val, console, max(SHORTEST_DRAWING, left() - LAST_PICTURE)
    )
    if not complete:
        raise UnfinishedError(
            f"The model is trained and saved in {folder.path}, but not all of its scores, pictures "
            "and report could be made. The same command makes what is missing."
        )
    stored.model_copy(update={"finished": True}).save(folder.request)
    say = partial(console.print, markup=False, emoji=False, highlight=False, soft_wrap=True)
    say(
        f"Done; scores, pictures and report took {time.monotonic() - began:.0f} s. "
        f"Open {folder.report} in a browser, or generate more pictures:"
    )
    say(f"  {sample_command(folder, model)}")
    return model


def sample_command(folder: RunFolder, model: Model) -> str:
    """A command line that samples one condition of a model."""
    factor = model.spec.factors[0]
    return command_line(
        *("sample", folder.path, "-n", 16, "--out", folder.path / "samples"),
        cond={factor.name: factor.values[-1]},
    )


def finish_early(
    folder: RunFolder, train: ImageSet, val: ImageSet, console: Console
) -> Model | None:
    """Draw what a stopped run has so far; returns None before stage 2 has begun."""
    from latentbloom.model.autoencoder import load_autoencoder_model
    from latentbloom.model.generator import load

    model: Model | None = None
    shown: AutoencoderModel | None = None
    try:
        shown = model = load(folder.path)
    except LatentbloomError as error:
        console.print(str(error), markup=False, emoji=False, highlight=False)
        with contextlib.suppress(LatentbloomError):  # no autoencoder either: the report says so
            shown = load_autoencoder_model(folder.path)
    _pictures(folder, shown, train, val, console)
    return model


def _guide(
    folder: RunFolder,
    model: Model,
    train: ImageSet,
    seconds: float,
    console: Console,
    group: Group = ALONE,
) -> None:
    """Choose the guidance, print what was tried, and write it to `config.json`."""
    from latentbloom.evaluate.guidance_choice import choose_guidance
    from latentbloom.evaluate.measures.guidance_merit import best_of, trade

    found = choose_guidance(model, train, seconds=seconds, group=group)
    if not found or not group.first:
        return
    for line in trade(found):
        console.print(line, markup=False, emoji=False, highlight=False, soft_wrap=True)
    # Settings that are copied from this run use its guidance as it is.
    chosen = {"sampling.guidance": best_of(found), "sampling.tune_guidance": False}
    folder.load_config().updated(chosen).save(folder.config)


def _score(
    folder: RunFolder,
    model: Model,
    train: ImageSet,
    val: ImageSet,
    seconds: float,
    group: Group = ALONE,
) -> None:
    from latentbloom.evaluate.run_scores import evaluate_run
    from latentbloom.figures.from_pictures.copies import draw_copies

    scores = evaluate_run(
        model,
        train,
        val,
        short=True,
        budget_seconds=SHARE_FOR_SCORES * max(seconds, SHORTEST_SCORING),
        on_copies=partial(draw_copies, train=train, path=folder.path / "figures" / "copies.png")
        if group.first
        else None,
        group=group,
    )
    if group.first:
        scores.save(folder.scores)


def _pictures(
    folder: RunFolder,
    model: AutoencoderModel | None,
    train: ImageSet,
    val: ImageSet,
    console: Console,
    seconds: float | None = None,
) -> bool:
    """Draw figures, report and model card; returns whether there is nothing to try again."""
    from latentbloom.figures.draw import draw_figures
    from latentbloom.report.card import write_card
    from latentbloom.report.page import write_report

    return all(
        [
            _guard(
                console,
                "pictures",
                lambda: draw_figures(model, val, folder.path, train=train, seconds=seconds),
            ),
            _guard(console, "report", lambda: write_report(folder.path)),
            _guard(console, "model card", lambda: write_card(folder.path)),
        ]
    )


def _guard(console: Console, what: str, run: Callable[[], object], group: Group = ALONE) -> bool:
    """Run one part; where it fails, print why.

    With several processes only errors for the user are caught, which all of them meet alike: any
    other would leave the others waiting for this one.

    Returns:
        Whether there is nothing to try again: it succeeded, or it was refused for a reason that
        the user has to fix.
    """
    try:
        run()
    except Exception as error:  # whatever it is, the model and the other parts are worth more
        ours = isinstance(error, LatentbloomError)
        if group.count > 1 and not ours:
            raise
        console.print(
            f"No {what}: {reason_of(error)}",
            markup=False,
            emoji=False,
            highlight=False,
        )
        return ours
    return True
