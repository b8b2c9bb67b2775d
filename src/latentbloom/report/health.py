"""What a reader of a run should look into."""

from __future__ import annotations

import numpy as np

from latentbloom.report.facts import get, plural, psnr_of, state_of
from latentbloom.report.run_files import RunFiles


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
    psnr = psnr_of(run)
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
    leaks = sum(bool(d.get("across_splits")) for d in run.audit.get("duplicates", []))
    if not leaks:
        return ""
    return (
        f"{plural(leaks, 'picture')} kept aside {'is' if leaks == 1 else 'are'} among those "
        "trained on, too: scores flatter the model a little. The audit names them."
    )


def _check_labels(run: RunFiles) -> str:
    found = run.audit.get("duplicates", [])
    count = sum(bool(d.get("exact") and d.get("across_labels")) for d in found)
    if not count:
        return ""
    return f"{plural(count, 'picture')} appeared under two labels. The audit names them."


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
