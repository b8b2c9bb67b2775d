"""Warnings that need scores: low recall, copies, samples that are alike, labels not shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from latentbloom.report.health import worries
from latentbloom.report.run_files import RunFiles

REAL = {"recall": {"value": 0.7}}


def said(pictures: dict[str, Any]) -> str:
    run = RunFiles(Path("run"), scores={"pictures": pictures}, finished=True)
    return " ".join(worries(run))


@pytest.mark.parametrize(("recall", "warned"), [(0.2, True), (0.5, False)])
def test_low_recall(recall: float, warned: bool) -> None:
    text = said({"manifold": {"recall": {"value": recall}}, "manifold_floor": REAL})
    assert ("recall 0.20, real pictures 0.70. Use weaker guidance" in text) is warned


@pytest.mark.parametrize(("share", "warned"), [(0.2, True), (0.01, False)])
def test_copies(share: float, warned: bool) -> None:
    text = said({"copying": {"share": {"value": share}}})
    assert ("20% of the samples are suspiciously close" in text) is warned


@pytest.mark.parametrize(("alarm", "warned"), [(True, True), (False, False)])
def test_samples_of_a_label_that_are_alike(alarm: bool, warned: bool) -> None:
    text = said({"diversity": [{"label": "smiling=yes", "ratio": 0.3, "alarm": alarm}]})
    assert ("Samples look alike for smiling=yes. Use weaker guidance" in text) is warned


@pytest.mark.parametrize(("met", "warned"), [(0.5, True), (0.88, False)])
def test_a_label_that_samples_do_not_show(met: float, warned: bool) -> None:
    control = {
        "factor": "smiling",
        "values": ["no", "yes"],
        "met": [{"value": 0.9}, {"value": met}],
        "real": [{"value": 0.9}, {"value": 0.9}],
        "mean": {"value": met},
        "real_mean": {"value": 0.9},
    }
    text = said({"control": [control]})
    assert ("clearly less often than real pictures do: yes (50%)" in text) is warned
