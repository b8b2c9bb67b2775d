"""Other people's diffusion models, trained on the same pictures for the same minutes.

    python bench/peers.py NAME SOURCE --minutes 20 --out DIR [-n 500] [--size 64]

NAME is `denoising-diffusion-pytorch` (from PyPI, with its dependencies einops and ema-pytorch) or
`diffusers-unet`. Each is a small class-conditional U-Net on pixels with the settings that its
documentation starts from, made small enough for two processor cores; each gets what ours gets
where it costs nothing: mirrored pictures, bfloat16 autocast where it is faster, channels-last
memory, averaged weights, classifier-free guidance. The minutes are training alone.

Samples come in the proportions of val, with records.json beside them, for bench/score.py.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from latentbloom.data.imageset import ImageSet
from latentbloom.data.pixels import to_float, to_uint8
from latentbloom.data.source import open_source
from latentbloom.errors import LatentbloomError
from latentbloom.evaluate.asking import in_proportion
from latentbloom.train.machine import default_device, measure_machine
from latentbloom.train.order import Order

BATCH = 32
SAMPLE_BATCH = 32
STEPS = 20
EMA_DECAY = 0.995


class Peer(Protocol):
    """A model of somebody else."""

    lr: float
    describe: str

    @property
    def net(self) -> nn.Module:
        """What is trained, averaged and moved to the device."""
        ...

    def loss(self, images: Tensor, classes: Tensor) -> Tensor:
        """Scalar loss of pictures (B, C, H, W) in [-1, 1] of classes (B,)."""
        ...

    def sample(self, classes: Tensor) -> Tensor:
        """One picture a class, in [-1, 1]."""
        ...


class DenoisingDiffusion:
    """`denoising_diffusion_pytorch.classifier_free_guidance`, width 32 instead of 64."""

    lr = 3e-4  # its documentation trains at 8e-5 for 700,000 steps; a short run wants more
    describe = (
        "Unet(dim=32, dim_mults=(1, 2, 4, 8), cond_drop_prob=0.1), cosine schedule, v objective, "
        f"{STEPS} DDIM steps, guidance 1.75"
    )

    def __init__(self, classes: int, channels: int, size: int) -> None:
        from denoising_diffusion_pytorch.classifier_free_guidance import GaussianDiffusion, Unet

        unet = Unet(
            dim=32,
            num_classes=classes,
            cond_drop_prob=0.1,
            dim_mults=(1, 2, 4, 8),
            channels=channels,
        )
        self.net = self.diffusion = GaussianDiffusion(
            unet,
            image_size=size,
            timesteps=1000,
            sampling_timesteps=STEPS,
            objective="pred_v",
            ddim_sampling_eta=0.0,
        )

    def loss(self, images: Tensor, classes: Tensor) -> Tensor:
        return self.net((images + 1) / 2, classes=classes)

    def sample(self, classes: Tensor) -> Tensor:
        return self.diffusion.sample(classes, cond_scale=1.75) * 2 - 1


class DiffusersUNet:
    """`diffusers.UNet2DModel` with a class embedding, trained as its tutorial trains one."""

    lr = 3e-4
    guidance = 1.75
    describe = (
        "UNet2DModel(block_out_channels=(64, 128, 128, 256), layers_per_block=1, attention at "
        f"8x8), DDPM noise prediction, {STEPS} DDIM steps, guidance 1.75"
    )

    def __init__(self, classes: int, channels: int, size: int) -> None:
        from diffusers.models.unets.unet_2d import UNet2DModel
        from diffusers.schedulers.scheduling_ddim import DDIMScheduler
        from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

        self.null = classes
        self.shape = (channels, size, size)
        self.net = UNet2DModel(
            sample_size=size,
            in_channels=channels,
            out_channels=channels,
            layers_per_block=1,
            block_out_channels=(64, 128, 128, 256),
            down_block_types=("DownBlock2D", "DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D", "UpBlock2D", "UpBlock2D"),
            num_class_embeds=classes + 1,
        )
        self.noising = DDPMScheduler(num_train_timesteps=1000)
        self.solver: Callable[[], Any] = lambda: DDIMScheduler.from_config(self.noising.config)

    def loss(self, images: Tensor, classes: Tensor) -> Tensor:
        eps = torch.randn_like(images)
        t: Any = torch.randint(0, 1000, (len(images),), device=images.device)
        shown = torch.where(torch.rand(len(images)).to(classes.device) < 0.1, self.null, classes)
        noisy = self.noising.add_noise(images, eps, t)
        return nn.functional.mse_loss(self.net(noisy, t, shown).sample.float(), eps)

    def sample(self, classes: Tensor) -> Tensor:
        solver = self.solver()
        solver.set_timesteps(STEPS)
        x = torch.randn(len(classes), *self.shape, device=classes.device)
        both = torch.cat([classes, torch.full_like(classes, self.null)])
        for t in solver.timesteps:
            eps_c, eps_u = self.net(torch.cat([x, x]), t, both).sample.float().chunk(2)
            x = solver.step(eps_u + self.guidance * (eps_c - eps_u), t, x).prev_sample
        return x


PEERS: dict[str, Callable[[int, int, int], Peer]] = {
    "denoising-diffusion-pytorch": DenoisingDiffusion,
    "diffusers-unet": DiffusersUNet,
}


@dataclass(frozen=True)
class Trained:
    """What came of a training.

    Arguments:
        images: Pictures seen.
        seconds: That it took.
        weights: Of the network, millions.
    """

    images: int
    seconds: float
    weights: float


def train_peer(
    peer: Peer,
    images: ImageSet,
    classes: Tensor,
    seconds: float,
    *,
    low: bool,
    say: Callable[[str], None],
) -> Trained:
    """Train for some seconds; leaves the averaged weights in the network."""
    device = default_device()
    net = peer.net.to(memory_format=torch.channels_last).to(device)
    average = {name: value.detach().clone() for name, value in net.state_dict().items()}
    optimiser = torch.optim.AdamW(net.parameters(), peer.lr)
    order = Order(len(images), 0, None)
    seen, steps, began, next_say = 0, 0, time.monotonic(), 60.0
    while (spent := time.monotonic() - began) < seconds:
        rows = order.indices(seen, BATCH)
        x = to_float(images.images(rows))
        flip = torch.rand(len(x)) < 0.5
        x = torch.where(flip[:, None, None, None], x.flip(3), x)
        x = x.to(device, memory_format=torch.channels_last)
        for group in optimiser.param_groups:
            group["lr"] = peer.lr * min(1.0, (steps + 1) / 50)
        with torch.autocast(device.type, torch.bfloat16, enabled=low):
            loss = peer.loss(x, classes[rows].to(device))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        seen, steps = seen + len(rows), steps + 1
        decay = min(EMA_DECAY, steps / (steps + 10))
        with torch.no_grad():
            for name, value in net.state_dict().items():
                if value.is_floating_point():
                    average[name].lerp_(value, 1 - decay)
                else:
                    average[name].copy_(value)
        if spent > next_say:
            say(f"{spent:.0f} s, {seen:,} pictures, {seen / spent:.1f}/s, loss {float(loss):.4f}")
            next_say += 60.0
    net.load_state_dict(average)
    weights = sum(p.numel() for p in net.parameters()) / 1e6
    return Trained(seen, time.monotonic() - began, weights)


@torch.no_grad()
def sample_peer(peer: Peer, classes: Tensor, *, low: bool) -> Tensor:
    """Pictures as uint8, one a class."""
    device = default_device()
    peer.net.eval()
    parts = []
    for part in classes.split(SAMPLE_BATCH):
        with torch.autocast(device.type, torch.bfloat16, enabled=low):
            parts.append(to_uint8(peer.sample(part.to(device)).float().cpu()))
    return torch.cat(parts)


def combination_of(labels: Tensor, sizes: list[int]) -> Tensor:
    """One class a combination of factors, for models that know a single one."""
    index = torch.zeros(len(labels), dtype=torch.long)
    for column, size in enumerate(sizes):
        index = index * size + labels[:, column].clamp(max=size - 1)
    return index


def main() -> int:
    """Parse, train, sample, write."""
    parser = argparse.ArgumentParser(description="Train somebody else's model.")
    parser.add_argument("name", choices=PEERS, metavar="NAME", help=", ".join(PEERS))
    parser.add_argument("source", metavar="SOURCE")
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("-n", type=int, default=500, help="samples, in val's proportions")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--channels", type=int, default=3, choices=(1, 3))
    args = parser.parse_args()
    from PIL import Image

    torch.manual_seed(0)
    source = open_source(args.source)
    spec = source.spec
    sizes = [len(factor.values) for factor in spec.factors]
    entries = [e for e in source.entries if e.split == "train"]
    images = ImageSet(source, entries, size=args.size, channels=args.channels)
    labels = torch.from_numpy(images.labels)
    kinds = 1
    for size in sizes:
        kinds *= size
    try:
        peer = PEERS[args.name](kinds, args.channels, args.size)
    except ModuleNotFoundError as error:
        raise SystemExit(
            f"{args.name} is not installed: pip install {args.name} ({error})"
        ) from None
    low = measure_machine(default_device()).precision == "bf16"
    trained = train_peer(
        peer,
        images,
        combination_of(labels, sizes),
        60 * args.minutes,
        low=low,
        say=lambda text: print(text, flush=True),
    )
    val = torch.tensor([e.labels for e in source.entries if e.split == "val"])
    asked = torch.from_numpy(in_proportion(val.numpy(), args.n, 0))
    start = time.monotonic()
    pictures = sample_peer(peer, combination_of(asked, sizes), low=low)
    speed = len(pictures) / (time.monotonic() - start)
    args.out.mkdir(parents=True, exist_ok=True)
    cond = {name: asked[:, column] for column, name in enumerate(spec.names)}
    described = []
    for k, (picture, words) in enumerate(zip(pictures, spec.words(cond), strict=True)):
        pixels = picture.permute(1, 2, 0).numpy()
        file = f"{k:05d}.png"
        Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(args.out / file)
        described.append({"file": file, "cond": words})
    facts = {
        "name": args.name,
        "configuration": peer.describe,
        "weights_millions": round(trained.weights, 2),
        "minutes": round(trained.seconds / 60, 2),
        "images": trained.images,
        "images_per_second": round(trained.images / trained.seconds, 2),
        "samples_per_second": round(speed, 3),
    }
    (args.out / "records.json").write_text(json.dumps({"settings": facts, "pictures": described}))
    print(json.dumps(facts, indent=2))
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except LatentbloomError as error:
        raise SystemExit(f"bench/peers.py: {error}") from None
