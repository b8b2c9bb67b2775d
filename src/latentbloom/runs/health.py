"""What the records of a run say about its health, in words, each with what to try.

All of it comes from the lines of metrics.jsonl, so that training, the report and a page that
watches a run say the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

Records = Sequence[Mapping[str, Any]]

WINNING = 0.97
"""Accuracy of a discriminator that leaves the autoencoder no chance."""

ASLEEP = 0.53
COLLAPSED = 0.02
EXPLODED = 40.0
"""Nats per dimension; trained models have 1 to 10."""

LAGGING = 0.5
"""Distance of averaged weights to the weights, relative to the weights."""

PLATEAU = 0.002
FEWEST = 8
"""Records that a judgement about the last ones needs."""

FEWEST_VALIDATIONS = 6
TOO_EARLY = 20_000
"""Images before which a plateau says nothing."""

UNUSED = 2.0
"""Standard errors; a label that lowers the loss by less may be chance."""

UNUSED_FROM = 0.4
"""Share of a stage before which a label may not be learned yet."""


@dataclass(frozen=True)
class Sign:
    """Something that a person should know.

    Attributes:
        name: Of the kind, for example "discriminator wins".
        stage: "vae_gan" or "diffusion".
        text: What was seen, with its number.
        advice: What to try.
    """

    name: str
    stage: str
    text: str
    advice: str

    def __str__(self) -> str:
        return f"{self.text} {self.advice}"


def signs(records: Records) -> list[Sign]:
    """Everything that stands out, in the order of the stages; empty for a healthy run.

    Arguments:
        records: Lines of metrics.jsonl, in order.
    """
    first = [r for r in records if r.get("stage") == "vae_gan"]
    second = [r for r in records if r.get("stage") == "diffusion"]
    return [
        *_not_finite(records),
        *_discriminator(first),
        *_latents(first),
        *_average(first, "vae_gan"),
        *_average(second, "diffusion"),
        *_plateau(second),
        *_overfit(second),
        *_labels(second),
    ]


def _not_finite(records: Records) -> Iterator[Sign]:
    found = [r for r in records if r.get("kind") == "not finite"]
    if found:
        last = found[-1]
        yield Sign(
            "not finite",
            str(last.get("stage")),
            f"A {last.get('what')} of the {last.get('phase')} was not finite, {len(found)} "
            f"time{'s' if len(found) > 1 else ''}; training went back and took smaller steps.",
            "If it happens again, try --train.precision fp32 or a smaller learning rate.",
        )


def _discriminator(records: Records) -> Iterator[Sign]:
    active = [r for r in records if (_number(r, "adversarial_ramp") or 0.0) > 0.5]
    values = _values(active or records, "discriminator_accuracy")
    late = _late(values)
    if late is None:
        return
    if late > WINNING:
        yield Sign(
            "discriminator wins",
            "vae_gan",
            f"The discriminator tells real pictures from reconstructions in {late:.0%} of cases. "
            "It is too strong, and its gradient may add artefacts: look closely at textures.",
            "Lower vae_gan.discriminator_lr or vae_gan.adversarial_weight.",
        )
    if late < ASLEEP and len(values) >= FEWEST and active:
        yield Sign(
            "discriminator asleep",
            "vae_gan",
            f"The discriminator only guesses ({late:.0%} right), so it teaches the autoencoder "
            "nothing.",
            "If reconstructions are blurry, raise vae_gan.discriminator_lr or "
            "vae_gan.discriminator_width.",
        )


def _latents(records: Records) -> Iterator[Sign]:
    kl = _late(_values(records, "kl"))
    if kl is not None and kl < COLLAPSED:
        yield Sign(
            "latents collapsed",
            "vae_gan",
            f"The latents carry almost no information (KL {kl:.3f} nats per dimension).",
            "Lower vae_gan.kl_weight.",
        )
    if kl is not None and kl > EXPLODED:
        yield Sign(
            "latents explode",
            "vae_gan",
            f"The latents have left all bounds (KL {kl:.0f} nats per dimension).",
            "Raise vae_gan.kl_weight, or lower the learning rate.",
        )


def _average(records: Records, stage: str) -> Iterator[Sign]:
    train = [r for r in records if (_number(r, "progress") or 0.0) > 0.3]
    values = _values(train, "average_lag")
    late = _late(values)
    if late is not None and late > LAGGING and len(values) >= FEWEST:
        yield Sign(
            "average does not follow",
            stage,
            f"The averaged weights, which make the pictures, are {late:.0%} away from the trained "
            "ones: they do not follow.",
            "Lower train.ema_share or the learning rate.",
        )


def _plateau(records: Records) -> Iterator[Sign]:
    """The last 40 % of stage 2's validations brought nothing.

    Stage 1 has no such sign: a discriminator that starts makes the error of its reconstructions
    rise, and they may still become better pictures.
    """
    found = [(r, v) for r in records if r.get("kind") == "val" and (v := _number(r, "diffusion"))]
    if len(found) < FEWEST_VALIDATIONS or found[-1][0].get("images", 0) < TOO_EARLY:
        return
    cut = round(0.6 * len(found))
    before = min(value for _, value in found[:cut])
    after = min(value for _, value in found[cut:])
    if after > before * (1.0 - PLATEAU):
        images = next(r.get("images", 0) for r, value in found if value == before)
        yield Sign(
            "diffusion no longer falls",
            "diffusion",
            "The denoising loss on held-out pictures has not fallen since "
            f"{images:,} images ({before:.4g}).",
            "Longer training will bring little: add pictures, or use a larger network.",
        )


def _overfit(records: Records) -> Iterator[Sign]:
    val = [r for r in records if r.get("kind") == "val"]
    values = _values(val, "diffusion", kind="val")
    rising = min(values[-2:]) > min(values) if values else False
    if len(values) >= 4 and rising and sum(values[-2:]) / 2 > 1.05 * min(values):
        yield Sign(
            "overfitting",
            "diffusion",
            "The denoising loss on held-out pictures has started to rise: the model memorises its "
            "training pictures.",
            "Use more pictures, or train for fewer epochs.",
        )


def _labels(records: Records) -> Iterator[Sign]:
    val = [
        r
        for r in records
        if r.get("kind") == "val" and (_number(r, "progress") or 0.0) >= UNUSED_FROM
    ]
    names = dict.fromkeys(name for r in val for name in r if name.startswith("uses_"))
    for name in names:
        values = _values(val, name, kind="val")
        if len(values) >= 2 and max(values[-2:]) < UNUSED:
            label = name.removeprefix("uses_")
            yield Sign(
                f"{label} is not learned",
                "diffusion",
                f"The denoiser predicts held-out pictures as well without '{label}' as with it: "
                "the label is not learned.",
                "Check that it can be seen in the pictures and is labelled right; add pictures of "
                "its rare values, or train longer.",
            )


def _values(records: Records, name: str, *, kind: str = "train") -> list[float]:
    found = (_number(r, name) for r in records if r.get("kind") == kind)
    return [value for value in found if value is not None]


def _number(record: Mapping[str, Any], name: str) -> float | None:
    value = record.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _late(values: Sequence[float]) -> float | None:
    return median(values[-max(5, len(values) // 20) :]) if values else None
