"""Warnings that need scores: low recall, copies, samples that are alike, labels not shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from latentbloom.report.facts import key_numbers, summary
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


def control_of(factor: str, met: float, values: int = 2) -> dict[str, Any]:
    return {
        "factor": factor,
        "values": [f"v{k}" for k in range(values)],
        "met": [{"value": met}] * values,
        "real": [{"value": 0.9}] * values,
        "mean": {"value": met},
        "real_mean": {"value": 0.9},
    }


def test_forty_conditions_take_a_sentence_a_number_and_a_warning() -> None:
    controls = [control_of(f"f{k:02d}", 0.5 + k / 100) for k in range(40)]
    run = RunFiles(Path("run"), scores={"pictures": {"control": controls}}, finished=True)
    text = " ".join(summary(run))
    assert (
        "70% of the samples show what was requested, a mean over 40 conditions, according to "
        "classifiers that are right on 90% of real pictures: the most for “f39” (89%), the least "
        "for “f00” (50%)." in text
    )
    assert text.count("requested") == 1
    numbers = [n for n in key_numbers(run) if "requested" in n.label]
    assert [(n.value, n.label) for n in numbers] == [("70%", "as requested, mean of 40 conditions")]
    warnings = [text for text in worries(run) if "less often" in text]
    assert warnings == [
        "Samples show 30 of 40 requested conditions clearly less often than real pictures do: "
        "f00=v0 (50%), f00=v1 (50%), f01=v0 (51%), f01=v1 (51%), f02=v0 (52%), f02=v1 (52%) and "
        "54 more. Stronger guidance or longer training may help."
    ]


@pytest.mark.parametrize(
    ("samples", "value", "label"),
    [
        (2047, "0.100", "kernel distance (KID)"),
        (2048, "2.1 ×", "distance to real pictures"),
    ],
)
def test_the_headline_does_not_flatter_a_run_with_few_samples(
    samples: int, value: str, label: str
) -> None:
    distance = {"value": {"value": 104.9}, "floor": {"value": 49.5}}
    kernel = {"value": {"value": 0.1001}, "floor": {"value": -0.0003}}
    pictures = {"samples": samples, "val": 4000, "frechet": distance, "kernel": kernel}
    numbers = key_numbers(RunFiles(Path("run"), scores={"pictures": pictures}))
    assert [(n.value, n.label) for n in numbers if "distance" in n.label] == [(value, label)]


def test_a_warning_names_few_of_many_labels() -> None:
    text = said({"control": [control_of("species", 0.5, values=102)]})
    assert "v4 (50%), v5 (50%) and 96 more. Stronger guidance" in text
    alike = [{"label": f"species={k}", "ratio": 0.3, "alarm": True} for k in range(102)]
    assert "species=5 and 96 more. Use weaker guidance" in said({"diversity": alike})
