"""Warnings about a run, from its files: what a reader should check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from latentbloom.report.facts import MOST_NAMED, get, plural, psnr_of, state_of
from latentbloom.report.run_files import RunFiles
from latentbloom.runs.health import signs
from latentbloom.words import shortened

MOST_LABELS = 6
"""Labels that a warning names."""


def worries(run: RunFiles) -> list[str]:
    """Warnings, the most general first; empty when nothing stands out."""
    found = [_state(run)] + [check(run) for check in _CHECKS]
    found += [str(sign) for sign in signs(run.metrics)]
    found += _not_shown(get(run.scores, "pictures.control", []))
    alike = [d["label"] for d in get(run.scores, "pictures.diversity", []) if d.get("alarm")]
    if alike:
        found.append(
            f"Samples look alike for {shortened(alike, MOST_LABELS)}. Use weaker guidance, or more "
            "training pictures of these labels."
        )
    recall = get(run.scores, "pictures.manifold.recall.value")
    real = get(run.scores, "pictures.manifold_floor.recall.value")
    if recall is not None and real is not None and recall < 0.5 * real:
        found.append(
            f"Samples show only part of what real pictures show: recall {recall:.2f}, real "
            f"pictures {real:.2f}. Use weaker guidance, or train longer."
        )
    share = get(run.scores, "pictures.copying.share.value", 0.0)
    if share > 0.03:
        found.append(
            f"{share:.0%} of the samples are suspiciously close to a training picture; of unseen "
            "real pictures, 1 to 2% are. Look at the nearest training pictures; use more pictures "
            "or fewer epochs."
        )
    return [text for text in found if text]


def _not_shown(controls: Sequence[Mapping[str, Any]]) -> list[str]:
    """Values that samples show clearly less often than real pictures: a warning a condition."""
    low = {c["factor"]: values for c in controls if (values := _less_often(c))}
    advice = "Stronger guidance or longer training may help."
    if len(controls) <= MOST_NAMED:
        return [
            f"Samples show the requested “{factor}” clearly less often than real pictures do: "
            f"{shortened(values, MOST_LABELS)}. {advice}"
            for factor, values in low.items()
        ]
    named = [f"{factor}={value}" for factor, values in low.items() for value in values]
    if not named:
        return []
    return [
        f"Samples show {len(low)} of {len(controls)} requested conditions clearly less often than "
        f"real pictures do: {shortened(named, MOST_LABELS)}. {advice}"
    ]


def _less_often(control: Mapping[str, Any]) -> list[str]:
    """Values with the share of samples that show them, where that is far below real pictures."""
    triples = zip(control["values"], control["met"], control["real"], strict=True)
    return [
        f"{value} ({met['value']:.0%})"
        for value, met, real in triples
        if met and real and met["value"] < real["value"] - 0.1
    ]


def _state(run: RunFiles) -> str:
    state = state_of(run)
    if state == "training":
        return "Training is still running: this page shows an intermediate state."
    if state == "stopped":
        return "Training stopped early. Run the same `latentbloom fit` command to resume it."
    return ""


def _check_val(run: RunFiles) -> str:
    if run.metrics and not any(m.get("kind") == "val" for m in run.metrics):
        return "No losses on held-out pictures were recorded, so overfitting cannot be detected."
    return ""


def _check_blur(run: RunFiles) -> str:
    psnr = psnr_of(run)
    if run.finished and psnr is not None and psnr < 24:
        return (
            f"Reconstructions are blurry ({psnr:.1f} dB), and samples cannot be sharper. Train "
            "the autoencoder longer."
        )
    return ""


def _check_finite(run: RunFiles) -> str:
    lost = sum(1 for m in run.metrics if any(v is None for v in m.values()))
    return f"{plural(lost, 'record')} of metrics.jsonl: a loss was not a number." * bool(lost)


def _check_data(run: RunFiles) -> str:
    advice = run.audit.get("advice") or [""]
    return str(advice[0]) if run.audit.get("verdict") in ("few", "far too few") else ""


def _check_leaks(run: RunFiles) -> str:
    leaks = sum(bool(d.get("across_splits")) for d in run.audit.get("duplicates", []))
    if not leaks:
        return ""
    return (
        f"{plural(leaks, 'held-out picture')} {'is' if leaks == 1 else 'are'} also among the "
        "training pictures, so scores look slightly too good. The audit lists them."
    )


def _check_labels(run: RunFiles) -> str:
    found = run.audit.get("duplicates", [])
    count = sum(bool(d.get("exact") and d.get("across_labels")) for d in found)
    if not count:
        return ""
    verb = "has" if count == 1 else "have"
    return f"{plural(count, 'picture')} {verb} two different labels. The audit lists them."


_CHECKS = (
    _check_data,
    _check_leaks,
    _check_labels,
    _check_val,
    _check_blur,
    _check_finite,
)
