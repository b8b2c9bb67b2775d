"""The pipeline of an exported folder: words in, pictures out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from diffusers.pipelines.pipeline_utils import DiffusionPipeline, ImagePipelineOutput
from torch import Tensor, nn

from latentbloom.conditions import ConditionSpec
from latentbloom.diffusion.denoiser import Denoiser
from latentbloom.diffusion.guidance import guide
from latentbloom.diffusion.noise import generators_for, noise_for
from latentbloom.diffusion.sampling import sample_states, suited_sampler
from latentbloom.diffusion.schedule import make_schedule

SAMPLER_NAMES = {
    "DPMSolverMultistepScheduler": "dpm++",
    "UniPCMultistepScheduler": "unipc",
    "DDIMScheduler": "ddim",
    "DDPMScheduler": "ddpm",
    "FlowMatchEulerDiscreteScheduler": "euler",
    "FlowMatchHeunDiscreteScheduler": "heun",
}
NOISY = "sde-dpmsolver++"
"""The `algorithm_type` of a DPMSolverMultistepScheduler that adds noise at each step."""


class StockUNet(nn.Module):
    """diffusers' own UNet2DModel as a backbone: one class for each combination of values.

    Arguments:
        unet: Takes pictures, steps from 0 to 1000, and a class.
        spec: The factors; the last one runs fastest, "any" included.
    """

    def __init__(self, unet: nn.Module, spec: ConditionSpec) -> None:
        super().__init__()
        self.unet = unet
        self.spec = spec

    def forward(self, x: Tensor, t: Tensor, cond: dict[str, Tensor]) -> Tensor:
        """Its prediction, of x's shape (B, C, H, W)."""
        index = torch.zeros_like(t, dtype=torch.long)
        for factor in self.spec.factors:
            index = index * factor.num_embeddings + cond[factor.name]
        return self.unet(x, 1000.0 * t, class_labels=index, return_dict=False)[0]


class LatentbloomPipeline(DiffusionPipeline):
    """Samples pictures under conditions.

    Arguments:
        denoiser: The network: latentbloom's, or diffusers' UNet2DModel on pixels.
        scheduler: A scheduler of diffusers. Its class chooses the solver; each call makes a new
            one on the grid for its own number of steps.
        autoencoder: Decodes latents; None where diffusion runs on pixels.
        factors: Names and values of the conditions, in order.
        shown: Combinations of values that training showed; None: all of them.
        schedule: Name of the noise schedule that the network was trained on.
        prediction: What the network predicts.
        shape: Shape (C, h, w) of a latent.
        steps: Steps where none are asked for.
        guidance: Guidance where none is asked for.
        guidance_interval: Times between which guidance acts; None: always.
    """

    _optional_components = ["autoencoder"]  # noqa: RUF012 - diffusers looks for a list

    # Without annotations: diffusers compares them with what it loads, and knows no strings.
    def __init__(
        self,
        denoiser,
        scheduler,
        autoencoder=None,
        factors=None,
        shown=None,
        schedule="flow",
        prediction="flow",
        shape=None,
        steps=20,
        guidance=1.0,
        guidance_interval=None,
    ):
        super().__init__()
        self.register_modules(denoiser=denoiser, scheduler=scheduler, autoencoder=autoencoder)
        self.register_to_config(
            factors=factors,
            shown=shown,
            schedule=schedule,
            prediction=prediction,
            shape=shape,
            steps=steps,
            guidance=guidance,
            guidance_interval=guidance_interval,
        )

    @property
    def spec(self) -> ConditionSpec:
        """The conditions that can be asked for."""
        return ConditionSpec.from_json(self.config["factors"])

    @torch.no_grad()
    def __call__(
        self,
        cond: Mapping[str, str] | Sequence[Mapping[str, str]] | None = None,
        num_images: int | None = None,
        seed: int = 0,
        *,
        indices: Sequence[int] | None = None,
        latents: Tensor | None = None,
        guidance_scale: float | None = None,
        num_inference_steps: int | None = None,
        output_type: str = "pil",
        return_dict: bool = True,
    ) -> Any:
        """Sample pictures. Picture k of a seed depends on the seed and on k alone.

        Arguments:
            cond: Words by factor, such as {"smiling": "yes"}, or one such dict a picture. A factor
                left out may be anything.
            num_images: How many; default one for each dict, else 4.
            seed: Any integer.
            indices: Numbers of the pictures; default 0, 1, 2, ...
            latents: Noise (n, C, h, w) to start from, instead of that of the seed.
            guidance_scale: 1 plain conditional, 0 unconditional, above 1 stronger.
            num_inference_steps: Solver steps.
            output_type: "pil", "np" (n, H, W, C) in [0, 1], "pt" (n, C, H, W) in [0, 1], or
                "latent".
            return_dict: Return an object with `images` instead of a tuple.
        """
        spec, settings = self.spec, self.config
        several = [dict(words) for words in cond] if isinstance(cond, Sequence) else None
        count = num_images or (len(several) if several is not None else 4)
        asked = several if several is not None else [dict(cond or {})] * count  # type: ignore
        if len(asked) != count:
            raise ValueError(f"{len(asked)} conditions for {count} pictures; give one each.")
        rows = [spec.encode(words, 1) for words in asked]
        device = self._execution_device
        indexed = {n: torch.cat([row[n] for row in rows]).to(device) for n in spec.names}
        numbers = list(range(count) if indices is None else indices)
        noise = noise_for(seed, numbers, settings["shape"]) if latents is None else latents
        interval = settings["guidance_interval"]
        shown = settings["shown"]
        guided = guide(
            self._network(spec),
            spec,
            settings["guidance"] if guidance_scale is None else guidance_scale,
            interval=None if interval is None else (interval[0], interval[1]),
            shown=None if shown is None else [tuple(row) for row in shown],
        )
        num_steps = num_inference_steps or settings["steps"]
        states = sample_states(
            guided,
            noise.float().to(device),
            indexed,
            sampler=suited_sampler(self._sampler(), num_steps),
            num_steps=num_steps,
            generators=generators_for(seed, numbers),
        )
        z = noise
        for state in self.progress_bar(states, total=num_steps + 1):
            z = state.x_t
        images = self._finished(z, output_type)
        return ImagePipelineOutput(images=images) if return_dict else (images,)

    def _sampler(self) -> str:
        if self.scheduler.config.get("algorithm_type") == NOISY:
            return "sde-dpm++"
        return SAMPLER_NAMES[type(self.scheduler).__name__]

    def _network(self, spec: ConditionSpec) -> Denoiser:
        stock = type(self.denoiser).__name__ == "UNet2DModel"
        backbone = StockUNet(self.denoiser, spec) if stock else self.denoiser
        schedule = make_schedule(self.config["schedule"])
        return Denoiser(backbone, schedule, self.config["prediction"])

    def _finished(self, z: Tensor, output_type: str) -> Any:
        if output_type == "latent":
            return z
        if self.autoencoder is None:
            images = z.clamp(-1.0, 1.0)
        else:
            images = self.autoencoder.decode(z.to(self.autoencoder.dtype)).float()
        images = (images / 2 + 0.5).cpu()
        if output_type == "pt":
            return images
        pixels = images.permute(0, 2, 3, 1).numpy()
        return self.numpy_to_pil(pixels) if output_type == "pil" else pixels


def number_of_classes(spec: ConditionSpec) -> int:
    """How many combinations of values there are, "any" included."""
    return math.prod(factor.num_embeddings for factor in spec.factors)
