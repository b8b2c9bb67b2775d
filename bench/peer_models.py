"""Other people's diffusion models behind one interface.

Each is a small class-conditional U-Net on pixels. Its settings are those that its documentation
starts with, in a size that suits two processor cores.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn

STEPS = 20
GUIDANCE = 1.75


class Peer(Protocol):
    """Another project's model."""

    lr: float
    package: str  # on PyPI
    describe: str

    @property
    def net(self) -> nn.Module:
        """The module that is trained, averaged and moved to the device."""
        ...

    def loss(self, images: Tensor, classes: Tensor) -> Tensor:
        """Scalar loss of pictures (B, C, H, W) in [-1, 1] of classes (B,)."""
        ...

    def sample(self, classes: Tensor) -> Tensor:
        """One picture a class, in [-1, 1]."""
        ...


class DenoisingDiffusion:
    """`denoising_diffusion_pytorch.classifier_free_guidance`, width 32 instead of 64.

    Written for version 2.3. Its guidance keeps its own defaults: it removes the part of the
    correction that is parallel to the prediction, and rescales the standard deviation by 0.7.
    """

    package = "denoising-diffusion-pytorch"
    lr = 3e-4  # its documentation trains at 8e-5 for 700,000 steps; a short run needs more
    describe = (
        "Unet(dim=32, dim_mults=(1, 2, 4, 8), cond_drop_prob=0.1), cosine schedule, v objective, "
        f"{STEPS} DDIM steps, guidance {GUIDANCE}"
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
        return self.net((images + 1) / 2, classes=classes)  # it expects [0, 1]

    def sample(self, classes: Tensor) -> Tensor:
        return self.diffusion.sample(classes, cond_scale=GUIDANCE) * 2 - 1


class DiffusersUNet:
    """`diffusers.UNet2DModel` with a class embedding, and diffusers' schedulers.

    Its tutorial predicts the noise on a linear schedule. In so few steps that does not learn the
    brightness of pictures, so here it predicts v on the cosine schedule, as its scheduler can.
    """

    package = "diffusers"
    lr = 3e-4
    describe = (
        "UNet2DModel(block_out_channels=(64, 128, 128, 256), layers_per_block=1, attention at "
        f"8x8), cosine schedule, v prediction, {STEPS} DDIM steps, guidance {GUIDANCE}"
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
        self.noising = DDPMScheduler(
            num_train_timesteps=1000,
            beta_schedule="squaredcos_cap_v2",
            prediction_type="v_prediction",
        )
        self.solver: Callable[[], Any] = lambda: DDIMScheduler.from_config(
            self.noising.config, timestep_spacing="trailing"
        )

    def loss(self, images: Tensor, classes: Tensor) -> Tensor:
        eps = torch.randn_like(images)
        t: Any = torch.randint(0, 1000, (len(images),), device=images.device)
        shown = torch.where(torch.rand(len(images)).to(classes.device) < 0.1, self.null, classes)
        noisy = self.noising.add_noise(images, eps, t)
        v = self.noising.get_velocity(images, eps, t)
        return nn.functional.mse_loss(self.net(noisy, t, shown).sample.float(), v)

    def sample(self, classes: Tensor) -> Tensor:
        solver = self.solver()
        solver.set_timesteps(STEPS)
        x = torch.randn(len(classes), *self.shape, device=classes.device)
        both = torch.cat([classes, torch.full_like(classes, self.null)])
        for t in solver.timesteps:
            v_c, v_u = self.net(torch.cat([x, x]), t, both).sample.float().chunk(2)
            x = solver.step(v_u + GUIDANCE * (v_c - v_u), t, x).prev_sample
        return x


PEERS: dict[str, Callable[[int, int, int], Peer]] = {
    "denoising-diffusion-pytorch": DenoisingDiffusion,
    "diffusers-unet": DiffusersUNet,
}
"""By name; called with the number of classes, the channels and the side of the pictures."""
