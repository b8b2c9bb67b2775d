"""Settings: typed, frozen, and saved with every run.

A value of `None` means "choose it from the data and the machine"; the run folder's
`config.json` holds what was chosen.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from latentbloom.errors import ConfigError, RunFolderError
from latentbloom.files import write_atomic

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
Weight = Annotated[float, Field(ge=0.0)]
Count = Annotated[int, Field(ge=1)]
Size = Literal[32, 64, 96, 128]

PerceptualName = Literal["vgg16", "squeezenet", "efficientnet-lite0", "none"]
Prediction = Literal["eps", "v", "x0", "flow"]
SamplerName = Literal["dpm++", "unipc", "ddim", "ddpm", "euler", "heun"]


SOURCE_SETTINGS = ("root", "factors", "splits", "crop", "background")
"""Settings of `DataSettings` that belong to one source."""


class Settings(BaseModel):
    """Base of all settings: frozen, and unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class DataSettings(Settings):
    """Which pictures, and how they are cut to one shape."""

    source: str = Field("", description="Folder, or name of a built-in source")
    root: str = Field("data", description="celeba, flowers102: folder that holds or gets them")
    factors: str = Field(
        "",
        description="Conditions to use, as in smiling,male; default all, for celeba smiling; "
        "colour is found in the pictures of any source",
    )
    splits: str = Field(
        "", description="celeba, flowers102: splits to train on, as in train,val; default train"
    )
    crop: Literal[108, 148, 178] = Field(
        148, description="celeba: side of the centre crop, of 178 pixels"
    )
    background: Literal["keep", "white", "grey", "black"] = Field(
        "keep", description="flowers102: what stands behind the flowers; needs segmentations"
    )
    size: Size | None = Field(None, description="Height and width of the model's pictures, pixels")
    channels: Literal[1, 3] | None = Field(None, description="1 grey, 3 colour; default as found")
    fit: Literal["crop", "squeeze"] = Field("crop", description="What non-square pictures undergo")
    mirror: bool | None = Field(
        None, description="Train on mirrored pictures, too; default where encoding them is quick"
    )
    hold_out: str = Field(
        "",
        description="Combinations to keep out of training, as in species=rose,colour=blue; or "
        "their share, as in 0.1",
    )
    val_share: Share = Field(0.1, description="Share kept for validation when there is no val/")
    cache_mb: Count = Field(256, description="Bound of the cache of decoded pictures, MB")

    @property
    def mirrored(self) -> bool:
        """Whether mirrored pictures are trained on; what is left open counts as yes."""
        return self.mirror is not False


class AutoencoderConfig(Settings):
    """Family and shape of the autoencoder."""

    family: Literal["swift", "classic", "pixel"] = Field(
        "swift", description="swift: a small map of latents; classic: a flat latent; pixel: none"
    )
    size: Size = Field(64, description="Height and width of the pictures, pixels")
    channels: Literal[1, 3] = Field(3, description="Channels of the pictures")
    latent_channels: Count = Field(4, description="swift: channels of the latent map, at size/8")
    width: Annotated[int, Field(ge=16, multiple_of=4)] = Field(
        96, description="swift: channels at a quarter of the pictures' size"
    )
    latent_numbers: Count = Field(256, description="classic: length of the flat latent")
    base_width: Count = Field(64, description="classic: channels at full size, doubled 3 times")
    blocks: Count = Field(2, description="Residual blocks a level")


class VaeGanSettings(Settings):
    """Losses, phases and pace of stage 1. Starts are fractions of the stage's budget."""

    batch_size: Count = Field(32, description="Images a step, over all processes")
    optimizer: Literal["muon", "adamw"] = Field(
        "muon", description="What trains the autoencoder's matrices; AdamW trains the rest"
    )
    muon_lr: Positive = Field(3.5e-3, description="muon: peak learning rate of the matrices")
    lr: Positive = Field(1.1e-3, description="AdamW: peak learning rate of the autoencoder")
    discriminator_lr: Positive = Field(1.4e-3, description="Discriminator: peak learning rate")
    perceptual: PerceptualName = Field("efficientnet-lite0", description="Perceptual network")
    perceptual_share: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        0.5, description="Share of each batch that the perceptual network sees"
    )
    reconstruction_weight: Weight = Field(1.0, description="Weight of the mean absolute error")
    perceptual_weight: Weight = Field(0.5, description="Weight of the perceptual distance")
    kl_weight: Weight = Field(1e-3, description="Final weight of the KL, nats a latent number")
    adversarial_weight: Weight = Field(
        0.8, description="Adversarial push, relative to that of the other losses"
    )
    adversarial_loss: Literal["hinge", "bce"] = Field(
        "hinge", description="What real and made patches are told apart by"
    )
    discriminator_width: Annotated[int, Field(ge=8)] = Field(
        32, description="Channels of the discriminator's first map"
    )
    classification_weight: Weight = Field(
        0.0, description="classic: weight of the cross-entropy of the labels, nats"
    )
    centre_weight: Weight = Field(
        0.0, description="classic: weight of the squared distance to the own class centre"
    )
    repulsion_weight: Weight = Field(
        0.0, description="classic: weight of centres that are too near to each other"
    )
    spread_weight: Weight = Field(
        0.0, description="classic: weight of classes that collapse to a point"
    )
    centre_distance: Positive = Field(
        4.0, description="Least distance of two class centres, in raw latents"
    )
    class_spread: Positive = Field(
        0.5, description="Least standard deviation of a latent number inside a class"
    )
    kl_start: Share = Field(0.02, description="Where the KL begins to rise")
    kl_full: Share = Field(0.15, description="Where the KL has its full weight")
    class_start: Share = Field(0.15, description="Where classification and centres begin to rise")
    class_full: Share = Field(0.30, description="Where they have their full weight")
    discriminator_start: Share = Field(0.22, description="Where the discriminator starts")
    adversarial_start: Share = Field(0.30, description="Where the autoencoder feels it")
    adversarial_full: Share = Field(0.50, description="Where it feels it at full weight")


class DenoiserConfig(Settings):
    """Kind and shape of the denoising network."""

    kind: Literal["transformer", "dense", "unet", "pixel-unet"] = Field(
        "transformer", description="dense: for flat latents; pixel-unet: for pixels"
    )
    width: Annotated[int, Field(ge=32, multiple_of=32)] = Field(
        256, description="Numbers a token, or of the U-shapes' first level"
    )
    depth: Count = Field(8, description="Blocks, in the U-shapes shared out over their levels")
    head_width: Count = Field(64, description="Numbers an attention head")
    patch: Count = Field(2, description="transformer: side of the patch that is one token")


class DiffusionSettings(Settings):
    """Objective and pace of stage 2."""

    batch_size: Count = Field(64, description="Latents a step, over all processes")
    lr: Positive = Field(1e-3, description="Peak learning rate")
    weight_decay: Weight = Field(0.01, description="AdamW's weight decay")
    schedule: Literal["flow", "linear", "cosine"] = Field("flow", description="Noise schedule")
    prediction: Prediction = Field("flow", description="What the network predicts")
    times: Literal["uniform", "logit-normal", "steps"] = Field(
        "logit-normal", description="Which times are trained most; steps: DDPM's 1000, alike"
    )
    weighting: Literal["uniform", "min-snr"] = Field("uniform", description="Weight of a time")
    balance: Share = Field(
        0.5, description="0 shows labels as often as found, 1 all combinations equally often"
    )
    drop_all: Share = Field(0.1, description="Chance that a picture is trained unconditionally")
    drop_each: Share = Field(
        0.1, description="Chance that one of several factors is hidden, each for itself"
    )


class SamplingSettings(Settings):
    """What `sample` uses when nothing else is said."""

    sampler: SamplerName = Field("dpm++", description="Solver of the path from noise to picture")
    num_steps: Count = Field(20, description="Solver steps")
    guidance: Weight = Field(
        1.75, description="1 plain conditional, 0 unconditional, above stronger"
    )
    tune_guidance: bool = Field(
        True,
        description="After training try stronger guidance, too, and keep what comes nearest to "
        "training pictures; off where guidance is given",
    )


class TrainSettings(Settings):
    """Budget, pace and machine."""

    minutes: Positive | None = Field(20.0, description="All of it: training, scores and report")
    vae_gan_images: Count | None = Field(None, description="Stage 1 budget in images")
    diffusion_images: Count | None = Field(None, description="Stage 2 budget in images")
    vae_gan_epochs: Positive | None = Field(
        None, description="Stage 1 budget in passes over the pictures, where not in images"
    )
    diffusion_epochs: Positive | None = Field(
        None, description="Stage 2 budget in passes over the pictures, where not in images"
    )
    checkpoint_epochs: Count | None = Field(
        None, description="Keep a checkpoint of stage 2 each so many epochs; default none"
    )
    visualize_epochs: Count | None = Field(
        None, description="Draw figures each so many epochs of both stages; default at the end"
    )
    seed: int = Field(0, description="Decides everything random")
    precision: Literal["fp32", "bf16"] | None = Field(None, description="Default: the faster one")
    compile: bool | None = Field(
        None, description="Compile a transformer in stage 2; default where it trains long on a CPU"
    )
    ema_share: Positive = Field(
        0.05, description="Width of the weight average, as a share of the images seen so far"
    )
    warmup_share: Share = Field(0.03, description="Share of a stage in which the rate rises")
    decay_start: Share = Field(0.15, description="Where the learning rate begins to fall")
    checkpoint_seconds: Positive = Field(60.0, description="Time between saves")
    preview_seconds: Positive = Field(120.0, description="Time between preview pictures")
    log_seconds: Positive = Field(2.0, description="Time between lines of metrics.jsonl")


class RunConfig(Settings):
    """Everything that a run was asked to do."""

    data: DataSettings = DataSettings()
    autoencoder: AutoencoderConfig | None = None
    vae_gan: VaeGanSettings = VaeGanSettings()
    denoiser: DenoiserConfig | None = None
    diffusion: DiffusionSettings = DiffusionSettings()
    sampling: SamplingSettings = SamplingSettings()
    train: TrainSettings = TrainSettings()

    def updated(self, overrides: dict[str, Any]) -> RunConfig:
        """A copy with dotted names replaced, for example {"diffusion.lr": 1e-4}.

        Raises:
            ConfigError: A name is unknown or a value does not fit.
        """
        tree = self.model_dump()
        for dotted, value in overrides.items():
            node: Any = tree
            *parents, leaf = dotted.split(".")
            for parent in parents:
                if not isinstance(node, dict) or parent not in node:
                    raise ConfigError(f"No setting is called '{dotted}'. {_known(tree)}")
                if node[parent] is None:  # a section that is chosen later: start from its defaults
                    node[parent] = {}
                node = node[parent]
            node[leaf] = value
        return parse_config(tree)

    def save(self, path: Path) -> None:
        """Write JSON."""
        write_atomic(path, self.model_dump_json(indent=2) + "\n")


def parse_config(tree: dict[str, Any], where: str = "the settings") -> RunConfig:
    """Check a tree of settings.

    Raises:
        ConfigError: Names each field, what was found and what is allowed.
    """
    try:
        return RunConfig.model_validate(tree)
    except ValidationError as error:
        lines = [
            f"  {'.'.join(str(part) for part in e['loc'])}: {e['msg']} (found {e['input']!r})"
            for e in error.errors()
        ]
        raise ConfigError(f"In {where}:\n" + "\n".join(lines)) from None


def load_config(path: Path) -> RunConfig:
    """Read a configuration that `RunConfig.save` wrote, or one written by hand.

    Raises:
        RunFolderError: There is no such file, or it is no JSON.
        ConfigError: A field is unknown or does not fit.
    """
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunFolderError(f"{path} does not exist.") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RunFolderError(f"{path} is no JSON: {error}.") from None
    if not isinstance(tree, dict):
        raise ConfigError(f"{path} holds a {type(tree).__name__}, not an object of settings.")
    return parse_config(tree, where=str(path))


def _known(tree: dict[str, Any]) -> str:
    return f"Sections: {', '.join(tree)}; `latentbloom fit --help-config` lists every setting."
