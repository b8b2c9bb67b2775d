"""The queue: one thread computes, everybody else waits for a turn and sees the place in line.

A result exists only in the answer to the request that asked for it. The server keeps no pictures,
so no user can see those of another.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from latentbloom.app.limits import Limits
from latentbloom.errors import LatentbloomError
from latentbloom.words import plural

logger = logging.getLogger(__name__)


class BusyError(LatentbloomError):
    """The queue is full."""


class TimeUpError(LatentbloomError):
    """A request took longer than the server allows."""


class Cancelled(Exception):  # noqa: N818 - nothing went wrong
    """The user no longer wants the result."""


@dataclass
class Event:
    """Something that the user is told.

    Attributes:
        name: "queued", "started", "preview", "done", "error" or "cancelled".
        data: What JSON can hold; for "done" and "error" the result or the exception itself.
    """

    name: str
    data: Any = None

    @property
    def last(self) -> bool:
        """Whether no event follows."""
        return self.name in ("done", "error", "cancelled")


@dataclass
class Job:
    """One request's turn.

    Attributes:
        owner: Who asked: a session, or an address.
        work: Computes the result, in the queue's thread.
        seconds: How long it may take.
        id: Hard to guess.
        events: What happened, in order.
        cancelled: Set when the result is no longer wanted.
        started: When its turn came, on the monotonic clock.
        turn: Jobs of a lower turn come first.
    """

    owner: str
    work: Callable[[Job], Any]
    seconds: float
    loop: asyncio.AbstractEventLoop
    id: str = field(default_factory=lambda: secrets.token_urlsafe(18))
    events: asyncio.Queue[Event] = field(default_factory=asyncio.Queue)
    cancelled: threading.Event = field(default_factory=threading.Event)
    started: float = 0.0
    turn: int = 0

    def emit(self, name: str, data: Any = None) -> None:
        """Tell the user something, from any thread."""
        try:
            self.loop.call_soon_threadsafe(self.events.put_nowait, Event(name, data))
        except RuntimeError:  # the server has stopped
            self.cancelled.set()

    def check(self) -> None:
        """Call between pieces of work.

        Raises:
            Cancelled: Nobody wants the result.
            TimeUpError: It has taken too long.
        """
        if self.cancelled.is_set():
            raise Cancelled
        if time.monotonic() - self.started > self.seconds:
            raise TimeUpError(
                f"This takes longer than {self.seconds:g} s, the most that one request may. Ask "
                "for fewer pictures or fewer steps."
            )


class JobQueue:
    """Jobs in turn, one at a time.

    Users take turns: the second request of one user comes after the first of every other. A job's
    turn is fixed when it joins (start-time fair queueing), so nobody is overtaken for ever.

    Arguments:
        limits: How many may wait, and how long each may take.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._waiting: list[Job] = []
        self._running: Job | None = None
        self._turn = 0
        self._next_turns: dict[str, int] = {}
        self._changed = threading.Condition()
        self._stopped = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread; once it has been stopped, start another."""
        self._stopped = False
        self._thread = threading.Thread(target=self._work, name="latentbloom-jobs", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Cancel everything, and wait a moment for the thread to end."""
        with self._changed:
            self._stopped = True
            for job in [*self._waiting, *([self._running] if self._running else [])]:
                job.cancelled.set()
            for job in self._waiting:
                job.emit("cancelled")
            self._waiting.clear()
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout=5.0)

    @property
    def alive(self) -> bool:
        """Whether the thread still runs; after `stop`, because a piece of work is not done."""
        return self._thread is not None and self._thread.is_alive()

    def submit(self, owner: str, work: Callable[[Job], Any]) -> Job:
        """Join the queue. Call this in the event loop.

        Raises:
            BusyError: Too many wait already, or too many of this user.
        """
        job = Job(owner, work, self.limits.seconds, asyncio.get_running_loop())
        with self._changed:
            mine = sum(other.owner == owner for other in self._waiting)
            if len(self._waiting) >= self.limits.waiting or mine >= self.limits.waiting_each:
                count = mine if mine >= self.limits.waiting_each else len(self._waiting)
                whose = " of yours" if mine >= self.limits.waiting_each else ""
                raise BusyError(
                    f"{plural(count, 'request')}{whose} wait already. Try again in a moment."
                )
            job.turn = max(self._turn, self._next_turns.get(owner, 0))
            self._next_turns[owner] = job.turn + 1
            self._waiting.append(job)
            self._tell_places()
            self._changed.notify_all()
        return job

    def cancel(self, job_id: str, owner: str) -> bool:
        """Cancel a job of that owner; whether there was one that nobody had cancelled."""
        with self._changed:
            known = [*self._waiting, *([self._running] if self._running else [])]
            found = next((job for job in known if job.id == job_id and job.owner == owner), None)
        if found is None or found.cancelled.is_set():
            return False
        self.drop(found)
        return True

    def drop(self, job: Job) -> None:
        """Cancel a job, wherever it is; one that has ended stays as it is."""
        job.cancelled.set()
        with self._changed:
            if job in self._waiting:
                self._waiting.remove(job)
                job.emit("cancelled")
                self._tell_places()

    def counts(self) -> tuple[int, int]:
        """How many jobs run (0 or 1), and how many wait."""
        with self._changed:
            return int(self._running is not None), len(self._waiting)

    async def follow(self, job: Job) -> AsyncIterator[Event]:
        """The events of a job until its last one. Leaving the loop early cancels the job."""
        try:
            while True:
                event = await job.events.get()
                yield event
                if event.last:
                    return
        finally:
            self.drop(job)

    def _order(self) -> list[Job]:
        """Waiting jobs in the order of their turns; in the same turn, as they came."""
        return sorted(self._waiting, key=lambda job: job.turn)

    def _tell_places(self) -> None:
        ahead = int(self._running is not None)
        for place, job in enumerate(self._order()):
            job.emit("queued", {"id": job.id, "ahead": place + ahead})

    def _next(self) -> Job | None:
        with self._changed:
            self._running = None
            self._tell_places()
            while not self._waiting and not self._stopped:
                self._changed.wait()
            if self._stopped:
                return None
            job = self._order()[0]
            self._waiting.remove(job)
            self._running = job
            self._turn = job.turn
            later = {o: turn for o, turn in self._next_turns.items() if turn > self._turn}
            self._next_turns = later
            self._tell_places()
            return job

    def _work(self) -> None:
        while (job := self._next()) is not None:
            job.started = time.monotonic()
            job.emit("started", {"id": job.id})
            try:
                job.check()
                result = job.work(job)
                job.check()
            except Cancelled:
                job.emit("cancelled")
            except LatentbloomError as error:
                job.emit("error", error)
            except Exception as error:  # the thread must live on for the other users
                logger.exception("A request failed")
                job.emit("error", error)
            else:
                job.emit("done", result)
