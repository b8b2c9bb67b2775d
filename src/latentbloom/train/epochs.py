"""At the ends of epochs: checkpoints to resume from, and figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from latentbloom.train.stage import Stage
from latentbloom.train.state import Position, save_stage


class EpochEnds:
    """Called at the end of an epoch; saves and draws every so many epochs.

    A batch seldom ends where an epoch does: epoch N counts as ended after the batch that completes
    it.

    Arguments:
        stage: What is trained.
        run: The run folder.
        keep_every: Epochs between kept checkpoints; None keeps none.
        draw_every: Epochs between figures; None draws none.
        draw: Draws the figures of an epoch, given its number.
    """

    def __init__(
        self,
        stage: Stage,
        run: Path,
        *,
        keep_every: int | None = None,
        draw_every: int | None = None,
        draw: Callable[[int], object] | None = None,
    ) -> None:
        self.stage = stage
        self.run = run
        self.keep_every = keep_every
        self.draw_every = draw_every
        self.draw = draw

    def __call__(self, before: int, after: int, position: Position) -> None:
        """Save and draw what is due.

        Arguments:
            before: Epochs that were complete before the step.
            after: Epochs that are complete now.
            position: Where the stage is.
        """
        epoch = _passed(before, after, self.keep_every)
        if epoch is not None:
            save_stage(self.stage, position, self.run / epoch_folder(self.stage.folder, epoch))
        epoch = _passed(before, after, self.draw_every)
        if epoch is not None and self.draw is not None:
            self.draw(epoch)


def epoch_folder(folder: str, epoch: int) -> str:
    """Name of a kept checkpoint, as in "conditional_diffusion_epoch_600"."""
    return f"{folder}_epoch_{epoch}"


def _passed(before: int, after: int, every: int | None) -> int | None:
    """The last multiple of `every` in (before, after]; None where there is none."""
    if not every:
        return None
    last = after // every * every
    return last if last > before else None
