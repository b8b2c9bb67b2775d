"""What a run folder says, in words and in a few numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from latentbloom.show.runfiles import RunFiles

STAGES = {"vae_gan": "the autoencoder (VAE-GAN)", "diffusion": "the diffusion model"}


@dataclass(frozen=True)
class KeyNumber:
    """A number to know at once.

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
    """What was trained, on what, how long and how well, as sentences."""
    source = get(run.config, "data.source", "")
    size = get(run.config, "autoencoder.size") or get(run.config, "data.size")
    channels = get(run.config, "autoencoder.channels") or get(run.config, "data.channels")
    kind = {1: "grey ", 3: "colour "}.get(channels, "")
    model = "A generative model of "
    model += f"{size} × {size} {kind}pictures" if size else "pictures"
    sentences = [model + (f", trained on “{source}”." if source else ".")]
    for stage, name in STAGES.items():
        last = run.last(stage)
        if not last:
            sentences.append(f"Training of {name} has not begun.")
            continue
        time = f" in {duration(last['seconds'])}" if last.get("seconds") else ""
        epochs = f" ({last['epoch']:.1f} passes over the data)" if last.get("epoch") else ""
        verb = "saw" if last.get("progress", 1) >= 0.999 or run.finished else "has seen"
        sentences.append(
            f"{name[0].upper()}{name[1:]} {verb} {plural(last['images'], 'picture')}{epochs}{time}."
        )
    sentences += _quality(run)
    return sentences


def _quality(run: RunFiles) -> list[str]:
    sentences = []
    psnr = get(run.scores, "reconstruction.psnr.value") or run.last("vae_gan", "val").get("psnr")
    if psnr is not None:
        word = "very close to" if psnr >= 30 else "close to" if psnr >= 26 else "softer than"
        sentences.append(
            f"Pictures that it never saw come back through the autoencoder {word} the originals "
            f"(PSNR {psnr:.1f} dB)."
        )
    for control in get(run.scores, "pictures.control", []):
        sentences.append(
            f"Asked for a value of “{control['factor']}”, its samples show it "
            f"{control['mean']['value']:.0%} of the time, by a judge that reaches "
            f"{control['real_mean']['value']:.0%} on real pictures."
        )
    if not run.scores and run.finished:
        sentences.append("It has not been scored yet: `latentbloom evaluate` does it.")
    return sentences


def key_numbers(run: RunFiles) -> list[KeyNumber]:
    """At most six numbers."""
    found: list[KeyNumber] = []
    psnr = get(run.scores, "reconstruction.psnr.value") or run.last("vae_gan", "val").get("psnr")
    if psnr is not None:
        found.append(KeyNumber(f"{psnr:.1f} dB", "PSNR of reconstructions", "28 and more is sharp"))
    for control in get(run.scores, "pictures.control", [])[:2]:
        real = control["real_mean"]["value"]
        found.append(
            KeyNumber(
                f"{control['mean']['value']:.0%}", f"“{control['factor']}” as asked",
                f"real pictures: {real:.0%}",
            )
        )
    frechet = get(run.scores, "pictures.frechet")
    if frechet:
        times = frechet["value"]["value"] / max(frechet["floor"]["value"], 1e-12)
        found.append(KeyNumber(f"{times:.1f} ×", "distance to real pictures", "real to real is 1"))
    seconds = sum(run.last(stage).get("seconds") or 0.0 for stage in STAGES)
    if seconds:
        found.append(KeyNumber(duration(seconds), "of training", _budget(run)))
    images = sum(run.last(stage).get("images") or 0 for stage in STAGES)
    if images:
        found.append(KeyNumber(f"{images:,}", "pictures seen", "both stages, repeats counted"))
    return found[:6]


def _budget(run: RunFiles) -> str:
    minutes = get(run.config, "train.minutes")
    return f"promised: {minutes:g} min in all" if minutes else ""


def worries(run: RunFiles) -> list[str]:
    """What a reader should look into; empty when nothing stands out."""
    found = [_state(run)] + [check(run) for check in _CHECKS]
    for control in get(run.scores, "pictures.control", []):
        low = [
            f"{value} ({met['value']:.0%})"
            for value, met, real in zip(
                control["values"], control["met"], control["real"], strict=True
            )
            if met and real and met["value"] < real["value"] - 0.1
        ]
        if low:
            found.append(
                f"Samples miss what was asked of “{control['factor']}” clearly more often than "
                f"real pictures do: {', '.join(low)}. More guidance or longer training helps."
            )
    alike = [d["label"] for d in get(run.scores, "pictures.diversity", []) if d.get("alarm")]
    if alike:
        found.append(
            f"Samples look alike for {', '.join(alike)}. Less guidance, or more pictures of these "
            "labels."
        )
    share = get(run.scores, "pictures.copying.share.value", 0.0)
    if share > 0.03:
        found.append(
            f"{share:.0%} of the samples lie suspiciously near to a training picture; new real "
            "pictures do in 1 % of cases. Look at the nearest neighbours."
        )
    return [text for text in found if text]


def _state(run: RunFiles) -> str:
    state = state_of(run)
    if state == "training":
        return "Training goes on: what is shown here is a moment of it."
    if state == "stopped":
        return "Training has stopped before its end. The same `latentbloom fit` command goes on."
    return ""


def _check_val(run: RunFiles) -> str:
    if run.metrics and not any(m.get("kind") == "val" for m in run.metrics):
        return (
            "No scores on pictures kept aside were written: whether the model learns by heart "
            "cannot be seen."
        )
    return ""


def _check_blur(run: RunFiles) -> str:
    psnr = run.last("vae_gan", "val").get("psnr")
    if run.finished and psnr is not None and psnr < 24:
        return (
            f"Reconstructions are soft ({psnr:.1f} dB). Samples cannot be sharper than these: "
            "give the autoencoder more time."
        )
    return ""


def _check_collapse(run: RunFiles) -> str:
    kl = _late(run, "vae_gan", "kl")
    if kl is not None and kl < 0.02:
        return (
            f"The latents carry almost nothing (KL {kl:.3f} nats a number): a smaller "
            "vae_gan.kl_weight is needed."
        )
    return ""


def _check_discriminator(run: RunFiles) -> str:
    accuracy = _late(run, "vae_gan", "discriminator_accuracy")
    if accuracy is not None and accuracy > 0.97:
        return (
            f"The discriminator tells real from rebuilt in {accuracy:.0%} of cases. It has won, "
            "and what it teaches may be artefacts: look closely at textures."
        )
    return ""


def _check_overfit(run: RunFiles) -> str:
    values = [m["diffusion"] for m in run.of("diffusion", "val") if m.get("diffusion") is not None]
    if len(values) >= 4 and np.mean(values[-2:]) > 1.05 * min(values):
        return (
            "The denoising loss on pictures kept aside has begun to rise: the model learns "
            "pictures by heart. More pictures, or fewer passes."
        )
    return ""


def _check_finite(run: RunFiles) -> str:
    lost = sum(1 for m in run.metrics if any(v is None for v in m.values()))
    return f"{plural(lost, 'record')} of metrics.jsonl held a loss that was no number." * bool(lost)


def _check_data(run: RunFiles) -> str:
    advice = run.audit.get("advice") or [""]
    return str(advice[0]) if run.audit.get("verdict") in ("few", "far too few") else ""


def _check_leaks(run: RunFiles) -> str:
    leaks = sum(bool(t.get("across_splits")) for t in run.audit.get("twins", []))
    if not leaks:
        return ""
    return (
        f"{plural(leaks, 'picture')} kept aside {'is' if leaks == 1 else 'are'} among those "
        "trained on, too: scores flatter the model a little. The audit names them."
    )


def _check_labels(run: RunFiles) -> str:
    twins = run.audit.get("twins", [])
    count = sum(bool(t.get("exact") and t.get("across_labels")) for t in twins)
    if not count:
        return ""
    return f"{plural(count, 'picture')} appeared under two labels. The audit names them."


_CHECKS = (
    _check_data, _check_leaks, _check_labels, _check_val, _check_blur, _check_collapse, _check_discriminator, _check_overfit, _check_finite
)


def _late(run: RunFiles, stage: str, name: str) -> float | None:
    values = [m[name] for m in run.of(stage, "train") if m.get(name) is not None]
    return float(np.median(values[-max(5, len(values) // 20) :])) if values else None
