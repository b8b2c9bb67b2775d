"""Warnings about a run, from its files: what a reader should check."""

from __future__ import annotations

import numpy as np

from latentbloom.report.facts import get, plural, psnr_of, state_of
from latentbloom.report.run_files import RunFiles


def worries(run: RunFiles) -> list[str]:
    """Warnings, the most general first; empty when nothing stands out."""
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
                f"Samples show the requested “{control['factor']}” clearly less often than real "
                f"pictures do: {', '.join(low)}. Stronger guidance or longer training may help."
            )
    alike = [d["label"] for d in get(run.scores, "pictures.diversity", []) if d.get("alarm")]
    if alike:
        found.append(
            f"Samples look alike for {', '.join(alike)}. Use weaker guidance, or more training "
            "pictures of these labels."
        )
    share = get(run.scores, "pictures.copying.share.value", 0.0)
    if share > 0.03:
        found.append(
            f"{share:.0%} of the samples are suspiciously close to a training picture; of unseen "
            "real pictures, 1% are. Look at the nearest training pictures."
        )
    return [text for text in found if text]


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


def _check_collapse(run: RunFiles) -> str:
    kl = _late(run, "vae_gan", "kl")
    if kl is not None and kl < 0.02:
        return (
            f"The latents carry almost no information (KL {kl:.3f} nats per dimension). Lower "
            "vae_gan.kl_weight."
        )
    return ""


def _check_discriminator(run: RunFiles) -> str:
    accuracy = _late(run, "vae_gan", "discriminator_accuracy")
    if accuracy is not None and accuracy > 0.97:
        return (
            f"The discriminator tells real pictures from reconstructions in {accuracy:.0%} of "
            "cases. It is too strong, and its gradient may add artefacts: look closely at textures."
        )
    return ""


def _check_overfit(run: RunFiles) -> str:
    values = [m["diffusion"] for m in run.of("diffusion", "val") if m.get("diffusion") is not None]
    if len(values) >= 4 and np.mean(values[-2:]) > 1.05 * min(values):
        return (
            "The denoising loss on held-out pictures has started to rise: the model memorises its "
            "training pictures. Use more pictures, or train for fewer epochs."
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
    _check_collapse,
    _check_discriminator,
    _check_overfit,
    _check_finite,
)


def _late(run: RunFiles, stage: str, name: str) -> float | None:
    values = [m[name] for m in run.of(stage, "train") if m.get(name) is not None]
    return float(np.median(values[-max(5, len(values) // 20) :])) if values else None
