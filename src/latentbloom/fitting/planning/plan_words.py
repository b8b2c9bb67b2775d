"""A plan in sentences."""

from __future__ import annotations

from latentbloom.config import RunConfig
from latentbloom.fitting.planning.planner import Plan
from latentbloom.words import plural


def describe_plan(config: RunConfig, plan: Plan, machine: str, count: int) -> list[str]:
    """What a run will do, in sentences.

    Arguments:
        config: Settings, nothing open.
        plan: How the time is spent.
        machine: What the machine is.
        count: Training pictures.
    """
    data = config.data
    threads = config.train.threads
    trains = f"; trains with {plural(threads, 'thread')}" if threads else ""
    if (config.train.processes or 1) > 1:
        many = plural(config.train.processes or 1, "process", "processes")
        trains = f"; trains in {many} of {plural(threads or 1, 'thread')}"
    return [
        f"Machine: {machine}{trains}.",
        f"Pictures: {data.size}x{data.size}, "
        f"{'grey' if data.channels == 1 else 'colour'}, {count:,} to train on"
        f"{', and their mirror images' if data.mirror else ''}.",
        *_describe_models(config, plan),
        f"Scores, pictures and report: {plan.finish_seconds:.0f} s.",
    ]


def _describe_models(config: RunConfig, plan: Plan) -> list[str]:
    """A line for each stage: what is trained, and for how long."""
    autoencoder, denoiser = config.autoencoder, config.denoiser
    assert autoencoder is not None
    assert denoiser is not None
    first = "Stage 1: none, diffusion works on the pixels."
    if autoencoder.family != "pixel":
        channels = plural(autoencoder.latent_channels, "latent channel")
        what = f"autoencoder of width {autoencoder.width}, {channels}"
        if autoencoder.family == "classic":
            what = f"classic autoencoder, {autoencoder.latent_numbers} latent dimensions"
        first = (
            f"Stage 1: {what}, batches of {config.vae_gan.batch_size}, "
            f"{_span(plan.vae_gan_seconds, plan.vae_gan_images)}."
        )
    third = []
    if plan.decoder_seconds:
        third = [
            f"Stage 3: the decoder alone, on {config.decoder.generated:,} generated latents, "
            f"{plan.decoder_seconds / 60:.1f} minutes."
        ]
    return [
        first,
        f"Stage 2: {denoiser.kind} {denoiser.width} x {denoiser.depth}, "
        f"{'compiled, ' if config.train.compile else ''}batches of "
        f"{config.diffusion.batch_size}, {_span(plan.diffusion_seconds, plan.diffusion_images)}.",
        *third,
    ]


def _span(seconds: float | None, images: int) -> str:
    if seconds is None:
        return f"{images:,} images"
    return f"{seconds / 60:.1f} minutes, about {images:,} images"
