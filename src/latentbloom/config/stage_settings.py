"""How both stages train, and how a model is sampled."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from latentbloom.config.settings_base import (
    MOST_IMAGES,
    MOST_MINUTES,
    MOST_WIDTH,
    BatchSize,
    Epochs,
    Every,
    Images,
    Interval,
    Length,
    Rate,
    Seconds,
    Seed,
    Settings,
    Share,
    Weight,
)

PerceptualName = Literal["vgg16", "squeezenet", "efficientnet-lite0", "none"]
Prediction = Literal["eps", "v", "x0", "flow"]
SamplerName = Literal["sde-dpm++", "dpm++", "unipc", "ddim", "ddpm", "euler", "heun"]


KL_WEIGHT = 1e-3
"""Final weight of the KL term where nothing else is asked for or planned."""


class VaeGanSettings(Settings):
    """Losses, phases and learning rates of stage 1. Progress is a share of the stage's budget."""

    batch_size: BatchSize = Field(32, description="Images per step, over all processes")
    optimizer: Literal["muon", "adamw"] = Field(
        "muon", description="Optimizer of the autoencoder's matrices; AdamW trains the rest"
    )
    muon_lr: Rate = Field(3.5e-3, description="muon: peak learning rate of the matrices")
    lr: Rate = Field(1.1e-3, description="AdamW: peak learning rate of the autoencoder")
    discriminator_lr: Rate = Field(1.4e-3, description="Discriminator: peak learning rate")
    perceptual: PerceptualName = Field("efficientnet-lite0", description="Perceptual network")
    perceptual_share: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        0.5, description="Share of each batch that the perceptual network sees"
    )
    reconstruction_weight: Weight = Field(1.0, description="Weight of the mean absolute error")
    perceptual_weight: Weight = Field(0.5, description="Weight of the perceptual distance")
    kl_weight: Weight | None = Field(
        None,
        description="Final weight of the KL term, in nats per latent dimension; "
        "none: 1e-3, and 6e-2 for eight or more latent channels at an eighth of the side",
    )
    alignment_weight: Weight = Field(
        0.0,
        description="swift: weight of the alignment of latents with the perceptual network's last "
        "feature map; 0 leaves it out; 2 was tried with eight latent channels",
    )
    adversarial_weight: Weight = Field(
        0.8, description="Strength of the adversarial gradient, relative to all other losses"
    )
    adversarial_loss: Literal["hinge", "bce"] = Field(
        "hinge", description="Loss that separates real patches from reconstructed ones"
    )
    discriminator_width: Annotated[int, Field(ge=8, le=MOST_WIDTH)] = Field(
        32, description="Channels of the discriminator's first map"
    )
    classification_weight: Weight = Field(
        0.0, description="classic: weight of the cross-entropy of the labels, nats"
    )
    centre_weight: Weight = Field(
        0.0, description="classic: weight of the squared distance to the picture's class centre"
    )
    repulsion_weight: Weight = Field(
        0.0, description="classic: weight of the penalty on class centres that are too close"
    )
    spread_weight: Weight = Field(
        0.0, description="classic: weight of the penalty on classes that collapse to a point"
    )
    centre_distance: Length = Field(
        4.0, description="classic: smallest distance of two class centres, in raw latents"
    )
    class_spread: Length = Field(
        0.5, description="classic: smallest standard deviation of a latent dimension inside a class"
    )
    kl_start: Share = Field(0.02, description="Progress at which the KL term starts to ramp up")
    kl_full: Share = Field(0.15, description="Progress at which the KL term has its full weight")
    class_start: Share = Field(
        0.15, description="classic: progress at which the class terms start to ramp up"
    )
    class_full: Share = Field(
        0.30, description="classic: progress at which the class terms have their full weight"
    )
    discriminator_start: Share = Field(
        0.22, description="Progress at which the discriminator starts to train"
    )
    adversarial_start: Share = Field(
        0.30, description="Progress at which the adversarial loss starts to ramp up"
    )
    adversarial_full: Share = Field(
        0.50, description="Progress at which the adversarial loss has its full weight"
    )


class DiffusionSettings(Settings):
    """Objective and learning rate of stage 2."""

    batch_size: BatchSize = Field(64, description="Latents per step, over all processes")
    lr: Rate = Field(4e-3, description="Peak learning rate")
    weight_decay: Weight = Field(0.01, description="AdamW's weight decay")
    schedule: Literal["flow", "linear", "cosine"] = Field("flow", description="Noise schedule")
    prediction: Prediction = Field("flow", description="What the network predicts")
    times: Literal["uniform", "logit-normal", "steps"] = Field(
        "logit-normal",
        description="Distribution of training times; steps: DDPM's 1000 steps, equally likely",
    )
    weighting: Literal["uniform", "min-snr"] = Field(
        "uniform", description="Weight of the loss at each time"
    )
    balance: Share = Field(
        0.5,
        description="0 shows labels as often as they occur, 1 all combinations equally often",
    )
    alignment_weight: Weight = Field(
        1.0,
        description="transformer: weight of the alignment of its tokens with the perceptual "
        "network's feature maps; 0 leaves it out",
    )
    self_guidance: Annotated[float, Field(ge=1.0, le=10.0)] = Field(
        1.5,
        description="Strength of guidance by an earlier self, learned in the last fifth of the "
        "training; 1: none",
    )
    drop_all: Share = Field(0.1, description="Probability of hiding all conditions of a picture")
    drop_each: Share = Field(
        0.1, description="Probability of hiding each of several factors, independently"
    )


class DecoderSettings(Settings):
    """Losses and pace of the decoder's last training, on latents that the denoiser generated."""

    batch_size: BatchSize = Field(32, description="Pictures per step, half of them generated")
    generated: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        2048, description="Latents that are generated for it"
    )
    num_steps: Annotated[int, Field(ge=1, le=10_000)] = Field(
        16, description="Solver steps that generate them"
    )
    muon_lr: Rate = Field(5e-4, description="Peak learning rate of the decoder's matrices")
    lr: Rate = Field(1.5e-4, description="AdamW: peak learning rate of the rest of the decoder")
    discriminator_lr: Rate = Field(7e-4, description="Discriminator: peak learning rate")
    adversarial_weight: Weight = Field(
        0.8, description="Strength of the adversarial gradient, relative to the reconstruction's"
    )
    statistics_weight: Weight = Field(
        0.5, description="Strength of the gradient of feature statistics, likewise"
    )
    statistics_pictures: Annotated[int, Field(ge=2, le=MOST_IMAGES)] = Field(
        1024, description="Pictures that the running feature statistics reach back over"
    )


class SamplingSettings(Settings):
    """Defaults of `latentbloom sample`."""

    sampler: SamplerName = Field(
        "sde-dpm++", description="Solver of the path from noise to picture"
    )
    num_steps: Annotated[int, Field(ge=1, le=10_000)] = Field(20, description="Solver steps")
    guidance: Weight = Field(
        1.75, description="1 plain conditional, 0 unconditional, above 1 stronger"
    )
    guidance_interval: Interval | None = Field(
        None,
        description="Times LOW,HIGH between which guidance acts (1 is pure noise); default: always",
    )
    tune_guidance: bool = Field(
        True,
        description="After training, try several strengths of guidance and keep the one with the "
        "best of distance, recall and control together; off where guidance is given",
    )


class TrainSettings(Settings):
    """Budget, pace and machine."""

    minutes: Annotated[float, Field(gt=0.0, le=MOST_MINUTES)] | None = Field(
        20.0, description="Time for everything: training, scores and report"
    )
    vae_gan_images: Images | None = Field(None, description="Stage 1 budget in images")
    diffusion_images: Images | None = Field(None, description="Stage 2 budget in images")
    decoder_images: Images | None = Field(
        None, description="Stage 3 budget in images; without it and without minutes, no stage 3"
    )
    vae_gan_epochs: Epochs | None = Field(
        None, description="Stage 1 budget in epochs; ignored when it is given in images"
    )
    diffusion_epochs: Epochs | None = Field(
        None, description="Stage 2 budget in epochs; ignored when it is given in images"
    )
    checkpoint_epochs: Every | None = Field(
        None, description="Keep a checkpoint of stage 2 every N epochs; default none"
    )
    visualize_epochs: Every | None = Field(
        None, description="Draw figures every N epochs of both stages; default at the end only"
    )
    seed: Seed = Field(0, description="Random seed of the whole run")
    start_from: str = Field("", description="Finished run whose weights both stages start from")
    starter: bool = Field(
        True,
        description="swift: start both stages from the packaged weights where the shapes fit",
    )
    precision: Literal["fp32", "bf16"] | None = Field(None, description="Default: the faster one")
    threads: Annotated[int, Field(ge=1, le=1024)] | None = Field(
        None, description="CPU threads that train; default one, unless more are measured faster"
    )
    processes: Annotated[int, Field(ge=1, le=64)] | None = Field(
        None,
        description="Processes on this machine that share each batch; default one, or with "
        "--processes auto as many as are measured faster",
    )
    shard: bool = Field(
        False,
        description="Spread the denoiser's weights, gradients and moments over the processes "
        "(FSDP2), for one that a GPU does not hold; without self-guidance",
    )
    compile: bool | None = Field(
        None, description="Compile the transformer in stage 2; default for long training on a CPU"
    )
    ema_share: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        0.05, description="Width of the moving average of weights, as a share of the images seen"
    )
    warmup_share: Share = Field(0.03, description="Share of a stage with rising learning rate")
    decay_start: Share = Field(0.15, description="Progress at which the rate starts to fall")
    checkpoint_seconds: Seconds = Field(60.0, description="Time between saves")
    preview_seconds: Seconds = Field(120.0, description="Time between preview pictures")
    log_seconds: Seconds = Field(2.0, description="Time between lines of metrics.jsonl")
    trackers: str = Field(
        "",
        description="Experiment trackers that get curves, pictures and scores: tensorboard, wandb, "
        "mlflow or trackio, with commas between them",
    )
