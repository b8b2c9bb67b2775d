"""How much of the promised minutes a run has used, over all calls of `fit`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from latentbloom.runs.checkpoint import checkpoint_exists, load_checkpoint

if TYPE_CHECKING:
    from latentbloom.config import RunConfig
    from latentbloom.fitting.planning.planner import Plan
    from latentbloom.model.generator import Model
    from latentbloom.runs.folder import RunFolder

LAST_STATES = ("vae_gan_last", "conditional_diffusion_last", "decoder_last")


class RunTime:
    """The time of one call, and of the calls before it.

    Arguments:
        folder: The run folder.
        began: When this call began, by the clock.
        clock: Monotonic time in seconds.
    """

    def __init__(
        self, folder: RunFolder, began: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.folder = folder
        self.began = began
        self.clock = clock
        self._earlier_calls = 0.0

    def so_far(self) -> float:
        """Seconds of this call."""
        return self.clock() - self.began

    def count_earlier_calls(self, plan: Plan) -> None:
        """Read from the checkpoints what earlier calls spent on set-up and training."""
        found = [
            load_checkpoint(self.folder.path / name, [])[1]["position"]["seconds"]
            for name in LAST_STATES
            if checkpoint_exists(self.folder.path / name)
        ]
        self._earlier_calls = plan.spent_seconds + sum(found) if found else 0.0

    def left(self, config: RunConfig, plan: Plan) -> float:
        """Seconds of the promise that are left; without one, what the plan keeps for the end."""
        if config.train.minutes is None:
            return plan.finish_seconds
        return 60.0 * config.train.minutes - self.so_far() - self._earlier_calls


def seconds_a_picture(model: Model) -> float:
    """Seconds per sample in a large batch, from the time of one solver step and of three."""
    from latentbloom.model.autoencoder import CHUNK

    def seconds(num_steps: int) -> float:
        start = time.perf_counter()
        model.sample(n=1, num_steps=num_steps)  # computes a whole chunk
        return time.perf_counter() - start

    one, three = seconds(1), seconds(3)
    return max(0.0, three - one) / 2 * model.config.sampling.num_steps / CHUNK
