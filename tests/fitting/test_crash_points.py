"""A run that is killed, or whose disk fails, at named points ends as one that nothing disturbed.

Here at a part of the points that has every kind of file; `python -m bench.crashes kill` and
`fail` try all of them, and `make soak` kills at random moments, too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HOME = Path(__file__).parents[2]
BATCH = 8

Found = dict[str, dict[str, Any]]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")


@pytest.fixture(scope="module")
def found() -> Found:
    """What `bench.crashes` found, in a process of its own: only one of one thread can be forked."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.crashes", "quick"],
        cwd=HOME,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{HOME / 'src'}"},
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert done.stdout, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_every_file_of_a_run_is_written_at_a_point(found: Found) -> None:
    assert found["points"]["faults"] == []
    assert len(found["points"]["points"]) > 150


def test_killed_at_each_point_it_ends_with_the_same_bits(found: Found) -> None:
    kill = found["kill"]
    assert kill["faults"] == []
    assert len(kill["hit"]) == len(set(kill["hit"])) > 30
    assert kill["starts"] > len(kill["hit"])  # each kill was one, and was followed by a start
    assert 0 < kill["most_lost"] <= BATCH  # killed between a step and its save
    for kind in ("plan.json", "audit.json", "metrics.jsonl", "scores.json", "report.html"):
        assert any(kind in point for point in kill["hit"]), kind
    for kind in ("vae_gan_last", "conditional_diffusion_final", "latents/train", "figures/"):
        assert any(kind in point for point in kill["hit"]), kind


def test_a_disk_that_fails_costs_a_message_and_nothing_else(found: Found) -> None:
    for word in ("good", "once"):
        assert found[word]["faults"] == []
        assert len(found[word]["hit"]) > 8
    assert set(found["good"]["codes"].values()) == {1}
    assert set(found["once"]["codes"].values()) <= {0, 1}  # what was not needed, and what was


def test_a_copy_of_a_running_run_resumes_or_says_what_is_wrong(found: Found) -> None:
    copy = found["copy"]
    assert copy["faults"] == []
    assert len(copy["codes"]) == 3
    assert set(copy["codes"].values()) <= {0, 1}
