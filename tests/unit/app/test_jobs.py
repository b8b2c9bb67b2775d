"""The queue: turns, places, limits, ends."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from latentbloom.app.jobs import BusyError, Event, Job, JobQueue, TimeUpError
from latentbloom.app.limits import Limits

Play = Callable[[JobQueue], Awaitable[Any]]


def play(scene: Play, limits: Limits | None = None) -> Any:
    """Run a scene with a queue that works."""

    async def run() -> Any:
        queue = JobQueue(limits or Limits())
        queue.start()
        try:
            return await asyncio.wait_for(scene(queue), 20)
        finally:
            queue.stop()

    # In a thread of its own: Playwright's loop runs in this one once it was started here.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(run())).result()


async def all_of(queue: JobQueue, job: Job) -> list[Event]:
    return [event async for event in queue.follow(job)]


class Gate:
    """Work that ends when it is opened."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()

    def __call__(self, job: Job) -> str:
        self.entered.set()
        while not self.opened.wait(0.01):
            job.check()
        return "through"


def test_events_come_in_order_and_the_result_last() -> None:
    async def scene(queue: JobQueue) -> list[Event]:
        def work(job: Job) -> int:
            job.emit("preview", 1)
            return 7

        return await all_of(queue, queue.submit("a", work))

    events = [(e.name, e.data) for e in play(scene)]
    assert [name for name, _ in events if name != "queued"] == ["started", "preview", "done"]
    assert events[-1] == ("done", 7)


def test_users_take_turns() -> None:
    async def scene(queue: JobQueue) -> list[str]:
        gate, done = Gate(), []

        def named(name: str) -> Callable[[Job], None]:
            return lambda _: done.append(name)

        first = queue.submit("a", gate)
        await asyncio.to_thread(gate.entered.wait)
        rest = [
            queue.submit(owner, named(name))
            for owner, name in (("a", "a2"), ("a", "a3"), ("b", "b1"), ("b", "b2"), ("c", "c1"))
        ]
        gate.opened.set()
        await asyncio.gather(*(all_of(queue, job) for job in (first, *rest)))
        return done

    # Whoever was served last comes after everybody who was not.
    assert play(scene) == ["b1", "c1", "a2", "b2", "a3"]


def test_nobody_is_overtaken_for_ever() -> None:
    """Others who ask again as soon as they are served do not keep a second request waiting."""

    async def scene(queue: JobQueue) -> list[str]:
        done: list[str] = []

        def named(name: str) -> Callable[[Job], None]:
            def work(_: Job) -> None:
                time.sleep(0.02)  # time enough for the others to ask again
                done.append(name)

            return work

        async def use(owner: str) -> None:
            for _ in range(12):
                await all_of(queue, queue.submit(owner, named(owner)))
                await asyncio.sleep(0.03)  # the next job has begun when they ask again

        gate = Gate()
        first = queue.submit("b", gate)
        await asyncio.to_thread(gate.entered.wait)
        second = queue.submit("b", named("b"))
        gate.opened.set()
        await asyncio.gather(*(all_of(queue, job) for job in (first, second)), *map(use, "acd"))
        return done

    assert play(scene).index("b") <= 6


def test_places_count_down_and_tell_how_many_are_ahead() -> None:
    async def scene(queue: JobQueue) -> list[int]:
        gate = Gate()
        jobs = [queue.submit("a", gate)]
        await asyncio.to_thread(gate.entered.wait)
        jobs += [queue.submit(owner, lambda _: None) for owner in ("b", "c", "d")]
        gate.opened.set()
        found = await asyncio.gather(*(all_of(queue, job) for job in jobs))
        return [event.data["ahead"] for event in found[-1] if event.name == "queued"]

    places = play(scene)
    assert places[0] == 3
    assert places == sorted(places, reverse=True)


def test_too_many_are_refused() -> None:
    async def scene(queue: JobQueue) -> None:
        gate = Gate()
        queue.submit("a", gate)
        await asyncio.to_thread(gate.entered.wait)
        queue.submit("a", gate)
        queue.submit("a", gate)
        with pytest.raises(BusyError, match="2 requests of yours wait already"):
            queue.submit("a", gate)
        queue.submit("b", gate)
        with pytest.raises(BusyError, match="3 requests wait already"):
            queue.submit("c", gate)
        gate.opened.set()

    play(scene, Limits(waiting=3, waiting_each=2))


def test_only_its_owner_cancels_a_job() -> None:
    async def scene(queue: JobQueue) -> None:
        gate = Gate()
        running, waiting = queue.submit("a", gate), queue.submit("b", gate)
        await asyncio.to_thread(gate.entered.wait)
        assert not queue.cancel(waiting.id, "a")
        assert not queue.cancel("another", "b")
        assert queue.cancel(waiting.id, "b")
        assert (await all_of(queue, waiting))[-1].name == "cancelled"
        assert queue.counts() == (1, 0)
        assert queue.cancel(running.id, "a")
        assert (await all_of(queue, running))[-1].name == "cancelled"
        assert not queue.cancel(running.id, "a")

    play(scene)


def test_who_stops_listening_frees_the_queue() -> None:
    async def scene(queue: JobQueue) -> None:
        gate = Gate()
        following = queue.follow(queue.submit("a", gate))
        assert isinstance(following, AsyncGenerator)
        await anext(following)
        await asyncio.to_thread(gate.entered.wait)
        await following.aclose()
        after = await all_of(queue, queue.submit("b", lambda _: "next"))
        assert after[-1].data == "next"

    play(scene)


def test_what_takes_too_long_ends() -> None:
    async def scene(queue: JobQueue) -> Event:
        return (await all_of(queue, queue.submit("a", Gate())))[-1]

    began = time.monotonic()
    last = play(scene, Limits(seconds=0.2))
    assert isinstance(last.data, TimeUpError)
    assert "longer than 0.2 s" in str(last.data)
    assert time.monotonic() - began < 5


def test_a_fault_ends_one_job_and_no_other(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(queue: JobQueue) -> tuple[Event, Event]:
        broken = await all_of(queue, queue.submit("a", lambda _: 1 / 0))
        whole = await all_of(queue, queue.submit("a", lambda _: "fine"))
        return broken[-1], whole[-1]

    broken, whole = play(scene)
    assert broken.name == "error"
    assert isinstance(broken.data, ZeroDivisionError)
    assert whole.data == "fine"
    assert "ZeroDivisionError" in caplog.text


def test_stopping_ends_everything() -> None:
    async def scene(queue: JobQueue) -> list[str]:
        gate = Gate()
        jobs = [queue.submit("a", gate), queue.submit("b", gate)]
        await asyncio.to_thread(gate.entered.wait)
        await asyncio.to_thread(queue.stop)
        return [(await all_of(queue, job))[-1].name for job in jobs]

    assert play(scene) == ["cancelled", "cancelled"]
