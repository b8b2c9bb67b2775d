"""One thread trains unless more are clearly faster."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from latentbloom.config import RunConfig
from latentbloom.device import using_threads
from latentbloom.fitting.planning.speeds import Speeds
from latentbloom.fitting.planning.thread_choice import choose_threads

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _two_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with using_threads(2):
        yield


def chosen(gain: float, **settings: object) -> tuple[Speeds, list[int]]:
    """The choice where two threads are `gain` times as fast as one, and what was timed."""
    timed: list[int] = []

    def measure() -> Speeds:
        timed.append(torch.get_num_threads())
        speed = gain if timed[-1] == 2 else 1.0
        return Speeds(images=60.0 * speed, latents=300.0 * speed, encoded=1000.0)

    config = RunConfig().updated({f"train.{k}": v for k, v in settings.items()})
    return choose_threads(measure, config, CPU), timed


@pytest.mark.parametrize(("gain", "threads"), [(0.9, 1), (1.04, 1), (1.06, 2), (1.8, 2)])
def test_more_threads_must_be_worth_it(gain: float, threads: int) -> None:
    speeds, timed = chosen(gain)
    assert timed == [2, 1]
    assert speeds.threads == threads
    assert speeds.images == pytest.approx(60.0 * (gain if threads == 2 else 1.0))


def test_what_was_asked_for_is_not_timed_twice() -> None:
    speeds, timed = chosen(0.5, threads=2)
    assert (speeds.threads, timed) == (2, [2])
    speeds, timed = chosen(2.0, threads=1)
    assert (speeds.threads, timed) == (1, [1])
    assert torch.get_num_threads() == 2


def test_a_run_that_is_counted_in_images_stays_repeatable() -> None:
    speeds, timed = chosen(0.5, minutes=None)
    assert (speeds.threads, timed) == (None, [2])


def test_the_environment_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    speeds, timed = chosen(0.5)
    assert (speeds.threads, timed) == (None, [2])


def test_pixel_models_have_no_first_stage() -> None:
    found = choose_threads(lambda: Speeds(0.0, 20.0, 0.0), RunConfig(), CPU)
    assert found.threads == 1


def test_threads_come_back_after_an_error() -> None:
    with pytest.raises(RuntimeError), using_threads(1):
        raise RuntimeError
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize(
    ("gain", "settings", "processes"),
    [
        (1.6, {}, 2),
        (1.1, {}, 1),  # not worth a second process
        (1.6, {"processes": 1}, 1),
        (0.5, {"processes": 2}, 2),  # asked for
        (1.6, {"minutes": None}, 1),  # must be repeatable
        (1.6, {"minutes": 3.0}, 1),
        (1.6, {"threads": 2}, 1),
    ],
)
def test_several_processes_must_be_worth_it(
    monkeypatch: pytest.MonkeyPatch, gain: float, settings: dict[str, object], processes: int
) -> None:
    monkeypatch.setattr(f"{choose_threads.__module__}._fits", lambda _: True)
    started: list[tuple[int, int]] = []

    def together(count: int, threads: int) -> Speeds:
        started.append((count, threads))
        return Speeds(images=60.0 * gain, latents=300.0 * gain, encoded=1000.0)

    config = RunConfig().updated({f"train.{k}": v for k, v in settings.items()})
    speeds = choose_threads(lambda: Speeds(60.0, 300.0, 1000.0), config, CPU, together=together)
    assert speeds.processes == processes
    assert set(started) <= {(2, 1)}
    if processes == 2:
        assert (speeds.threads, speeds.images) == (1, pytest.approx(60.0 * gain))


def test_large_models_and_small_memories_keep_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(count: int, threads: int) -> Speeds:
        raise AssertionError((count, threads))

    slow = choose_threads(lambda: Speeds(4.0, 300.0, 9.0), RunConfig(), CPU, together=never)
    monkeypatch.setattr(f"{choose_threads.__module__}._fits", lambda _: False)
    full = choose_threads(lambda: Speeds(60.0, 300.0, 9.0), RunConfig(), CPU, together=never)
    assert slow.processes == full.processes == 1
