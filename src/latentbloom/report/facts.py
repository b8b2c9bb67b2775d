"""A run in a few sentences and numbers, from its files."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from latentbloom.evaluate import FEW
from latentbloom.report.run_files import RunFiles

STAGES = {
    "vae_gan": "the autoencoder (VAE-GAN)",
    "diffusion": "the diffusion model",
    "decoder": "the decoder alone",
}
OPTIONAL_STAGES = ("decoder",)
MOST_NAMED = 4
"""Conditions up to which the summary has a sentence for each."""


@dataclass(frozen=True)
class KeyNumber:
    """A number that the summary shows large.

    Attributes:
        value: As it is printed.
        label: What it is.
        hint: How to read it.
    """

    value: str
    label: str
    hint: str = ""


def plural(count: float, one: str, many: str | None = None) -> str:
    """A count with its noun: "1 picture", "2,000 pictures"."""
    return f"{count:,.0f} {one if round(count) == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """Seconds in words: "40 s", "12 min", "2 h 5 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def date_words(when: datetime.datetime) -> str:
    """A date and time: "5 March 2026, 09:07"."""
    return f"{when.day} {when.strftime('%B %Y, %H:%M')}"


def get(tree: Mapping[str, Any], dotted: str, default: Any = None) -> Any:
    """A value deep in nested mappings."""
    node: Any = tree
    for part in dotted.split("."):
        if not isinstance(node, Mapping) or node.get(part) is None:
            return default
        node = node[part]
    return node


def state_of(run: RunFiles) -> str:
    """One of "finished", "training" and "stopped"."""
    return "finished" if run.finished else "training" if run.alive else "stopped"


def summary(run: RunFiles) -> list[str]:
    """What was trained, on what, for how long and how well, as sentences."""
    source = get(run.config, "data.source", "")
    size = get(run.config, "autoencoder.size") or get(run.config, "data.size")
    channels = get(run.config, "autoencoder.channels") or get(run.config, "data.channels")
    kind = {1: "grey ", 3: "colour "}.get(channels, "")
    model = "A generative model of "
    model += f"{size} × {size} {kind}pictures" if size else "pictures"
    sentences = [model + (f", trained on “{source}”." if source else ".")]
    for stage, name in STAGES.items():
        last = run.last(stage)
        if stage == "vae_gan" and get(run.config, "autoencoder.family") == "pixel":
            sentences.append("It works on pixels directly, without an autoencoder.")
            continue
        if not last and stage in OPTIONAL_STAGES:
            continue
        if not last:
            sentences.append(f"Training of {name} has not started.")
            continue
        time = f" in {duration(last['seconds'])}" if last.get("seconds") else ""
        epochs = f" ({last['epoch']:.1f} epochs)" if last.get("epoch") else ""
        verb = "saw" if last.get("progress", 1) >= 0.999 or run.finished else "has seen"
        sentences.append(
            f"{name[0].upper()}{name[1:]} {verb} {plural(last['images'], 'picture')}{epochs}{time}."
        )
    sentences += _quality(run)
    return sentences


def psnr_of(run: RunFiles) -> float | None:
    """PSNR of reconstructions in dB: the score, or the last value of training."""
    return get(run.scores, "reconstruction.psnr.value") or run.last("vae_gan", "val").get("psnr")


def _quality(run: RunFiles) -> list[str]:
    sentences = []
    psnr = psnr_of(run)
    if psnr is not None:
        word = "very close to" if psnr >= 30 else "close to" if psnr >= 26 else "softer than"
        sentences.append(
            f"Reconstructions of held-out pictures are {word} the originals (PSNR {psnr:.1f} dB)."
        )
    sentences += _control(get(run.scores, "pictures.control", []))
    if not run.scores and run.finished:
        sentences.append("It has not been scored yet: run `latentbloom evaluate`.")
    return sentences


def _control(controls: Sequence[Mapping[str, Any]]) -> list[str]:
    """How often samples show what was requested: a sentence a condition, or one for many."""
    if len(controls) <= MOST_NAMED:
        return [
            f"{control['mean']['value']:.0%} of the samples show the requested "
            f"“{control['factor']}”, according to a classifier that is right on "
            f"{control['real_mean']['value']:.0%} of real pictures."
            for control in controls
        ]
    ordered = sorted(controls, key=lambda control: control["mean"]["value"])
    least, most = (
        f"“{control['factor']}” ({control['mean']['value']:.0%})"
        for control in (ordered[0], ordered[-1])
    )
    mean, real = mean_control(controls)
    return [
        f"{mean:.0%} of the samples show what was requested, a mean over {len(controls)} "
        f"conditions, according to classifiers that are right on {real:.0%} of real pictures: the "
        f"most for {most}, the least for {least}."
    ]


def mean_control(controls: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """Shares of samples and of real pictures that show what they should, mean of conditions."""
    found = [[control[name]["value"] for control in controls] for name in ("mean", "real_mean")]
    return fmean(found[0]), fmean(found[1])


def key_numbers(run: RunFiles) -> list[KeyNumber]:
    """At most six numbers."""
    found: list[KeyNumber] = []
    psnr = psnr_of(run)
    if psnr is not None:
        found.append(KeyNumber(f"{psnr:.1f} dB", "PSNR of reconstructions", "28 or more is sharp"))
    controls = get(run.scores, "pictures.control", [])
    if len(controls) > MOST_NAMED:
        mean, real = mean_control(controls)
        label = f"as requested, mean of {len(controls)} conditions"
        found.append(KeyNumber(f"{mean:.0%}", label, f"real pictures: {real:.0%}"))
        controls = []
    for control in controls[:2]:
        real = control["real_mean"]["value"]
        found.append(
            KeyNumber(
                f"{control['mean']['value']:.0%}",
                f"show the requested “{control['factor']}”",
                f"real pictures: {real:.0%}",
            )
        )
    pictures = get(run.scores, "pictures") or {}
    if pictures.get("frechet"):
        found.append(_distance(pictures))
    seconds = sum(run.last(stage).get("seconds") or 0.0 for stage in STAGES)
    if seconds:
        found.append(KeyNumber(duration(seconds), "training time", _budget(run)))
    images = sum(run.last(stage).get("images") or 0 for stage in STAGES)
    if images:
        found.append(KeyNumber(f"{images:,}", "pictures seen", "all stages, counting repeats"))
    return found[:6]


def few_pictures(pictures: Mapping[str, Any]) -> bool:
    """Whether the scores come from so few pictures that KID stands before the Fréchet distance.

    Few samples have a high floor, so "times the floor" would make a run with fewer look better.
    """
    return min(pictures.get("samples", 0), pictures.get("val", 0)) < FEW


def _distance(pictures: Mapping[str, Any]) -> KeyNumber:
    kernel = pictures.get("kernel")
    if kernel and few_pictures(pictures):
        value = f"{kernel['value']['value']:.3f}"
        return KeyNumber(value, "kernel distance (KID)", "real vs. real: 0")
    frechet = pictures["frechet"]
    times = frechet["value"]["value"] / max(frechet["floor"]["value"], 1e-12)
    return KeyNumber(f"{times:.1f} ×", "distance to real pictures", "real vs. real: 1")


def _budget(run: RunFiles) -> str:
    minutes = get(run.config, "train.minutes")
    return f"limit for the whole run: {minutes:g} min" if minutes else ""
