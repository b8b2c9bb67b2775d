"""From a job to an answer: waited for, or streamed as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from fastapi.sse import ServerSentEvent

from latentbloom.app.jobs import Job, JobQueue
from latentbloom.app.limits import Limits
from latentbloom.app.served_run import ServedRun, UnknownRunError
from latentbloom.errors import LatentbloomError
from latentbloom.words import did_you_mean, listed

T = TypeVar("T")

_PROBLEM = {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    code: {"description": text, "content": _PROBLEM}
    for code, text in (
        (400, "The body cannot be parsed."),
        (401, "The server wants a user and a password."),
        (403, "A page of another site sent the request."),
        (404, "There is no such run."),
        (409, "The run is not ready for this."),
        (413, "The request is too large."),
        (422, "A value is not allowed; the text says which."),
        (429, "Too many requests wait already."),
        (503, "It took too long, or the server stops."),
    )
}
"""Answers that every address may give."""


def served_run(run: str, request: Request) -> ServedRun:
    """The run of that name.

    Raises:
        UnknownRunError: There is none.
    """
    runs: dict[str, ServedRun] = request.app.state.runs
    if run not in runs:
        raise UnknownRunError(
            f"'{run[:100]}' is no run of this server.{did_you_mean(run[:100], runs)} Runs: "
            f"{listed(list(runs))}."
        )
    return runs[run]


def queue_of(request: Request) -> JobQueue:
    """The queue of the server."""
    return request.app.state.queue


def limits_of(request: Request) -> Limits:
    """The limits of the server."""
    return request.app.state.limits


Run = Annotated[ServedRun, Depends(served_run)]


class StoppedError(LatentbloomError):
    """The work was cancelled."""


async def result_of(request: Request, work: Callable[[Job], T]) -> T:
    """Queue some work, and wait for its result. It is cancelled when the user hangs up.

    Raises:
        BusyError: The queue is full.
        StoppedError: It was cancelled.
        LatentbloomError: What the work raises.
    """
    queue = queue_of(request)
    job = queue.submit(request.state.owner, work)
    watcher = asyncio.create_task(_hang_up(request, queue, job))
    try:
        async for event in queue.follow(job):
            if event.name == "done":
                return event.data
            if event.name == "error":
                raise event.data
    finally:
        watcher.cancel()
        with suppress(asyncio.CancelledError):
            await watcher
    raise StoppedError("The request was cancelled.")


async def _hang_up(request: Request, queue: JobQueue, job: Job) -> None:
    while not await request.is_disconnected():
        await asyncio.sleep(0.25)
    queue.drop(job)


async def stream_of(
    queue: JobQueue, owner: str, work: Callable[[Job], Any]
) -> AsyncIterator[ServerSentEvent]:
    """Queue some work, and tell how it goes: queued, started, preview, then done or error."""
    try:
        job = queue.submit(owner, work)
    except LatentbloomError as error:
        yield ServerSentEvent(event="error", data={"detail": str(error)})
        return
    async for event in queue.follow(job):
        if event.name != "error":
            yield ServerSentEvent(event=event.name, data=event.data or {})
        elif isinstance(event.data, LatentbloomError):
            yield ServerSentEvent(event="error", data={"detail": str(event.data)})
        else:
            yield ServerSentEvent(event="error", data={"detail": BUG})


BUG = "This is a fault of the server, not yours. Its terminal says more."
