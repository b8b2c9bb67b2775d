"""Curves, pictures and scores of a run for experiment trackers, while it trains.

Each tracker has a thread of its own: a server that is slow, or gone, costs training nothing. What
a tracker raises is said once, and training continues.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from latentbloom.config.stage_settings import TrainSettings
from latentbloom.errors import ConfigError
from latentbloom.fitting.tracking.kinds import TRACKERS, parse_trackers, start_tracker
from latentbloom.runs.metrics import read_metrics
from latentbloom.runs.tracked_values import curve_values, score_values

MOST_WAITING = 2000
"""Calls that may wait for a slow tracker; later ones are dropped."""

PATIENCE = 20.0
"""Seconds that the end of a run waits for trackers."""

_GIVE_UP = 5
"""Failures in a row after which a tracker is left alone."""

_FOLDERS = {"figures": "*.png", "samples": "preview_*.png"}

Say = Callable[[str], None]


class _Worker:
    """One tracker and its thread."""

    def __init__(self, name: str, run: Path, say: Say) -> None:
        self.name = name
        self.kind = TRACKERS[name]
        self._run = run
        self._say = say
        self._todo: queue.Queue[Callable[[Any], object] | None] = queue.Queue(MOST_WAITING)
        self._failures = 0
        self._said: set[str] = set()
        self._last_step = 0
        self._thread = threading.Thread(target=self._work, name=f"tracker {name}", daemon=True)
        self._thread.start()

    def curves(self, values: dict[str, float], step: int) -> None:
        """Send numbers."""
        self._put(lambda tracker: tracker.log(values, step=self._in_order(step)))

    def pictures(self, pictures: dict[str, Path], step: int) -> None:
        """Send pictures."""
        send = self.kind.send_pictures
        self._put(lambda tracker: send(tracker, pictures, self._in_order(step)))

    def close(self, seconds: float) -> None:
        """Send what waits, end the tracker, and wait for it, but not for long."""
        until = time.monotonic() + seconds
        with suppress(queue.Full):
            self._todo.put(None, timeout=max(0.0, seconds))
        self._thread.join(max(0.0, until - time.monotonic()))
        if self._thread.is_alive():
            self._once(f"The tracker {self.name} does not answer: what waits for it is not sent.")

    def _put(self, task: Callable[[Any], object]) -> None:
        try:
            self._todo.put_nowait(task)
        except queue.Full:
            self._once(f"The tracker {self.name} is too slow: some values are not sent.")

    def _in_order(self, step: int) -> int:
        """The step, never smaller than the one before where the tracker would drop it."""
        self._last_step = step if self.kind.any_order else max(step, self._last_step)
        return self._last_step

    def _work(self) -> None:
        tracker: Any = None
        try:
            tracker = start_tracker(self.name, self._run)
        # Whatever a tracker raises, even SystemExit, the training is worth more.
        except BaseException as error:
            self._failed("does not start", error)
            self._failures = _GIVE_UP
        while (task := self._todo.get()) is not None:
            if self._failures >= _GIVE_UP:
                continue
            try:
                task(tracker)
                self._failures = 0
            except BaseException as error:
                self._failures += 1
                self._failed("failed", error)
        if tracker is not None:
            try:
                tracker.finish()
            except BaseException as error:
                self._failed("did not end cleanly", error)

    def _failed(self, how: str, error: BaseException) -> None:
        why = " ".join(str(error).split())
        self._once(
            f"The tracker {self.name} {how}: {type(error).__name__}: {why[:300]}. Training "
            "continues."
        )

    def _once(self, text: str) -> None:
        if text.partition(":")[0] not in self._said:
            self._said.add(text.partition(":")[0])
            self._say(text)


class Tracking:
    """The trackers of a run; nothing where it has none.

    Arguments:
        run: The run folder.
        names: Names of trackers; empty for none.
        say: Receives what went wrong. Any thread may call it.
    """

    def __init__(self, run: Path, names: tuple[str, ...], say: Say) -> None:
        self._run = run
        self._workers = [_Worker(name, run, say) for name in names]
        self._stage = ""
        self._before = 0
        self._images = 0
        self._sent: dict[Path, int] = {}
        if names:
            for line in read_metrics(run / "metrics.jsonl"):  # of earlier calls
                self._count(line)
            self._changed()

    @classmethod
    def of(cls, run: Path, settings: TrainSettings, say: Say) -> Tracking:
        """The trackers that settings name. `fit` refuses wrong ones; a run is not ended by them."""
        names: tuple[str, ...] = ()
        try:
            names = parse_trackers(settings.trackers)
        except ConfigError as error:
            say(str(error))
        return cls(run, names, say)

    @property
    def step(self) -> int:
        """Pictures seen so far, over all stages."""
        return self._before + self._images

    def line(self, line: Mapping[str, Any]) -> None:
        """Send a line of metrics.jsonl."""
        values = curve_values(line)
        if not self._workers or not values:
            return
        images = self._count(line)
        for worker in self._workers:
            # Each curve of TensorBoard begins at its stage's first picture, as in an export.
            worker.curves(values, images if worker.kind.any_order else self._before + images)

    def pictures(self) -> None:
        """Send the previews and figures that are new or have changed."""
        if self._workers and (new := self._changed()):
            for worker in self._workers:
                worker.pictures(new, self._images if worker.kind.any_order else self.step)

    def with_pictures(self, draw: Callable[[], None] | None) -> Callable[[], None] | None:
        """A function that draws previews, and sends them where there are trackers."""
        if draw is None or not self._workers:
            return draw

        def draw_and_send() -> None:
            draw()
            self.pictures()

        return draw_and_send

    def scores(self) -> None:
        """Send scores.json, if it is there."""
        with suppress(OSError, ValueError):
            values = score_values(
                json.loads((self._run / "scores.json").read_text(encoding="utf-8"))
            )
            for worker in self._workers if values else ():
                worker.curves(values, self._images if worker.kind.any_order else self.step)

    def close(self) -> None:
        """Send what waits and end the trackers, within `PATIENCE` seconds."""
        until = time.monotonic() + PATIENCE
        ends = [
            threading.Thread(target=partial(w.close, until - time.monotonic()), daemon=True)
            for w in self._workers
        ]
        for end in ends:
            end.start()
        for end in ends:
            end.join(max(0.0, until - time.monotonic()) + 1.0)
        self._workers = []

    def _count(self, line: Mapping[str, Any]) -> int:
        """Note how far a line is; returns the pictures that its stage had seen."""
        stage, images = str(line.get("stage")), int(line.get("images") or 0)
        if stage != self._stage:
            self._before, self._images, self._stage = self.step, 0, stage
        self._images = max(self._images, images)
        return images

    def _changed(self) -> dict[str, Path]:
        new = {}
        for folder, pattern in _FOLDERS.items():
            for path in sorted((self._run / folder).glob(pattern)):
                with suppress(OSError):
                    time_of_change = path.stat().st_mtime_ns
                    if self._sent.get(path) != time_of_change:
                        self._sent[path] = time_of_change
                        word = "previews" if folder == "samples" else folder
                        new[f"{word}/{path.stem}"] = path
        return new
