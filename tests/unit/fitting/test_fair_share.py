"""Other programs come and go, and training makes room."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
import torch

from latentbloom.config import TrainSettings
from latentbloom.device import using_threads
from latentbloom.fitting.planning.fair_share import (
    CHECK_SECONDS,
    FairShare,
    OtherPrograms,
    Reading,
    fair_share_of,
)


@pytest.fixture(autouse=True)
def _two_threads() -> Iterator[None]:
    with using_threads(2):
        yield


def test_one_thread_while_others_are_there_and_more_when_they_are_gone() -> None:
    now, said, others = [0.0], [], [0.0]
    share = FairShare(2, cores_of_others=lambda: others[0], say=said.append, clock=lambda: now[0])
    threads = []
    for using in (0.0, 1.3, 1.3, 0.3, 0.1, 2.0, 0.0):
        others[0] = using
        now[0] += CHECK_SECONDS
        share.look()
        threads.append(torch.get_num_threads())
    assert threads == [2, 1, 1, 1, 2, 1, 2]
    assert len(said) == 1
    assert said[0].startswith("Other programs use 1.3 cores: training continues with one thread")


def test_it_looks_every_few_seconds_only() -> None:
    now, asked = [0.0], []
    share = FairShare(
        2, cores_of_others=lambda: float(asked.append(1) or 0), say=print, clock=lambda: now[0]
    )
    for _ in range(50):
        now[0] += CHECK_SECONDS / 10
        share.look()
    assert 4 <= len(asked) <= 5


def test_the_first_look_is_as_far_off_whatever_the_clock_shows() -> None:
    now, asked = [1000.0], []
    share = FairShare(
        2, cores_of_others=lambda: float(asked.append(1) or 0), say=print, clock=lambda: now[0]
    )
    now[0] += CHECK_SECONDS - 0.1
    share.look()
    assert not asked
    now[0] += 0.1
    share.look()
    assert len(asked) == 1


def test_where_no_time_has_passed_nothing_is_known() -> None:
    readings = iter([Reading(5.0, 10.0, 4.0), Reading(5.0, 14.0, 5.0)])
    assert OtherPrograms(lambda: next(readings))() == 0.0


def test_our_own_work_is_not_that_of_others() -> None:
    readings = iter([Reading(0.0, 10.0, 4.0), Reading(2.0, 14.0, 5.0), Reading(3.0, 14.5, 5.5)])
    others = OtherPrograms(lambda: next(readings))
    assert others() == pytest.approx(1.5)  # 4 seconds of cores in 2 seconds, 1 of them ours
    assert others() == 0.0


def test_a_busy_program_is_seen_on_this_machine() -> None:
    others = OtherPrograms()
    loop = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(2.0)
        assert others() > 0.2
    finally:
        loop.kill()
        loop.wait()


def test_a_run_that_must_be_repeatable_keeps_its_threads() -> None:
    assert fair_share_of(TrainSettings(minutes=None, threads=2), print) is None
    assert fair_share_of(TrainSettings(threads=1), print) is None
    assert fair_share_of(TrainSettings(), print) is None
    share = fair_share_of(TrainSettings(threads=2), print)
    assert share is not None
    assert share.threads == 2
