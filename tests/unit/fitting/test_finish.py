"""What is left out when pictures take too long."""

from __future__ import annotations

import io
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from rich.console import Console

from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.config import RunConfig
from latentbloom.evaluate.measures.guidance_merit import Tried
from latentbloom.fitting import finish as module
from latentbloom.fitting.opening.stored_plan import StoredPlan
from latentbloom.fitting.planning.planner import Plan
from latentbloom.model.generator import Model
from latentbloom.runs.folder import RunFolder

SPEC = ConditionSpec((Factor("label", ("day", "night")),))


def test_a_picture_is_timed_by_its_steps_not_by_what_comes_once() -> None:
    def sample(n: int, num_steps: int) -> None:
        time.sleep(0.1 + 0.032 * num_steps)

    config = RunConfig().updated({"sampling.num_steps": 10})
    model = cast(Model, SimpleNamespace(sample=sample, config=config))
    assert module.seconds_a_picture(model) == pytest.approx(0.01, rel=0.3)


@pytest.mark.parametrize(
    ("minutes", "picture", "expected"),
    [
        (20.0, 10.0, []),
        (20.0, 0.2, ["score"]),
        (20.0, 0.01, ["guide", "score"]),
        (None, 10.0, ["score"]),  # nothing was promised, but guidance would take an hour
        (None, 0.2, ["guide", "score"]),
    ],
)
def test_slow_pictures_are_neither_scored_nor_guided(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    minutes: float | None,
    picture: float,
    expected: list[str],
) -> None:
    done: list[str] = []
    request = RunConfig().updated({"train.minutes": minutes})
    StoredPlan(request=request, plan=Plan()).save(RunFolder(tmp_path).request)
    model = SimpleNamespace(config=request, spec=SPEC)
    monkeypatch.setattr("latentbloom.model.generator.load", lambda _: model)
    monkeypatch.setattr(module, "seconds_a_picture", lambda _: picture)
    monkeypatch.setattr(module, "_guide", lambda *_: done.append("guide"))
    monkeypatch.setattr(module, "_score", lambda *_: done.append("score"))
    monkeypatch.setattr(module, "_pictures", lambda *_: not done.append("draw"))
    said = io.StringIO()
    nothing: Any = None
    module.finish(RunFolder(tmp_path), nothing, nothing, 60.0, Console(file=said, width=300))
    assert done == [*expected, "draw"]
    assert ("latentbloom evaluate" in said.getvalue()) == ("score" not in expected)


def test_the_chosen_guidance_is_written_down_and_what_was_traded_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    half = np.arange(10) % 2
    plain = Tried(2.0, np.zeros(10), half == 0, half.astype(float), 0.9)
    found = {1.0: plain, 1.4: plain._replace(distance=1.0)}
    monkeypatch.setattr(
        "latentbloom.evaluate.guidance_choice.choose_guidance", lambda *_, **__: found
    )
    folder = RunFolder(tmp_path)
    RunConfig().save(folder.config)
    said = io.StringIO()
    nothing: Any = None
    module._guide(folder, nothing, nothing, 60.0, Console(file=said, width=300))
    assert folder.load_config().sampling.guidance == 1.4
    assert "Guidance 1.4" in said.getvalue()
    assert "Against 1: as asked 50% to 50%, recall 50% to 50%, distance 2.00 to 1.00" in (
        said.getvalue()
    )
