"""Ten times in a stage: the averaged weights on held-out pictures; the best ones are kept."""

from __future__ import annotations

from pathlib import Path

from latentbloom.runs.checkpoint import save_checkpoint
from latentbloom.train.budget import Budget
from latentbloom.train.journal import Journal
from latentbloom.train.pace import Moment, Pace
from latentbloom.train.stage import Stage
from latentbloom.train.state import Position

NUM_VALIDATIONS = 10


class Validation:
    """Validates a stage and keeps its best weights as `{stage.folder}_best`.

    Arguments:
        stage: What is trained.
        budget: When it ends. Of a budget in seconds validation takes a bounded share: those that
            would take more are left out, but the last one never is.
        run: The run folder.
        pace: The clock of the stage.
        journal: Receives the scores.
    """

    def __init__(
        self, stage: Stage, budget: Budget, run: Path, pace: Pace, journal: Journal
    ) -> None:
        self.stage = stage
        self.budget = budget
        self.best = run / f"{stage.folder}_best"
        self.pace = pace
        self.journal = journal

    def is_due(self, position: Position, moment: Moment) -> bool:
        """Whether to validate now; the same on all processes. Counts in the position."""
        due = int(self.budget.progress(position.images, moment.seconds) * NUM_VALIDATIONS)
        if due <= position.validations:
            return False
        position.validations = due
        timed = self.budget.seconds is not None
        return not (timed and moment.validated_enough and due < NUM_VALIDATIONS)

    def run(self, position: Position) -> None:
        """Validate, and save the averaged weights where they are the best so far.

        Raises:
            CheckpointError: They cannot be saved.
        """
        with self.pace.validating():
            scores, badness = self.stage.validate()
        now = self.pace.seconds()
        self.journal.scores(position, now, scores)
        if position.best is None or badness < position.best:
            position.best = badness
            place = self.journal.place(position, now)
            save_checkpoint(
                self.best,
                {"model": self.stage.ema.module.state_dict()},
                {"stage": self.stage.name, **place, **scores, **self.stage.meta()},
            )
