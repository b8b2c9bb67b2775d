"""How a run gets on, from its files alone."""

from __future__ import annotations

from typing import Any

from latentbloom.figures.from_run_files.series import TITLES, stage_curves
from latentbloom.report.facts import duration, get, state_of, summary
from latentbloom.report.health import worries
from latentbloom.report.run_files import RunFiles
from latentbloom.report.svg import can_be_log, describe, panel

STAGES = ("vae_gan", "diffusion")


def progress_of(run: RunFiles) -> dict[str, Any]:
    """State, curves, time left and worries."""
    state = state_of(run)
    left = _seconds_left(run) if state == "training" else None
    sentences = summary(run)
    if left is not None:
        sentences.insert(0, f"About {duration(left)} of training left.")
    return {
        "state": state,
        "sentences": sentences,
        "worries": worries(run),
        "stages": [_stage(run, name) for name in STAGES],
        "seconds_left": left,
        "preview": _preview(run) if state != "finished" else None,
        "changed": _changed(run),
    }


def _stage(run: RunFiles, name: str) -> dict[str, Any]:
    curves = stage_curves(run.metrics, name)
    last = run.last(name)
    share = last.get("progress")
    finished = run.finished or (name == "vae_gan" and bool(run.last("diffusion")))
    return {
        "name": name,
        "title": TITLES[name],
        "share": 1.0 if finished and last else float(share or 0.0),
        "phase": curves.phases[-1][0] if curves.phases else "",
        "images": int(last.get("images") or 0),
        "speed": last.get("images_per_second"),
        "panels": [
            {
                "title": one.title,
                "about": one.about,
                "words": describe(one),
                "svg": panel(one, curves, log=one.log and can_be_log(one)),
            }
            for one in curves.series
        ],
    }


def _seconds_left(run: RunFiles) -> float | None:
    """Of training: what the current stage's speed says, or the limit in minutes."""
    limit = get(run.config, "train.minutes")
    spent = sum(run.last(name).get("seconds") or 0.0 for name in STAGES)
    current = run.last("diffusion") or run.last("vae_gan")
    if current.get("stage") == "diffusion":
        share, seconds = current.get("progress") or 0.0, current.get("seconds") or 0.0
        if share > 0.02:
            return max(0.0, seconds * (1.0 - share) / share)
    return max(0.0, 60.0 * limit - spent) if limit else None


def _preview(run: RunFiles) -> str | None:
    """The newest picture that training has written, as an address."""
    from latentbloom.report.embed import embed_file

    found = [
        path
        for pattern in ("samples/*", "figures/*preview*")
        for path in run.path.glob(pattern)
        if path.suffix in (".png", ".jpg", ".webp")
    ]
    if not found:
        return None
    picture = embed_file(max(found, key=lambda path: path.stat().st_mtime), "Preview")
    return picture.src if picture is not None else None


def _changed(run: RunFiles) -> float:
    try:
        return (run.path / "metrics.jsonl").stat().st_mtime
    except OSError:
        return 0.0
