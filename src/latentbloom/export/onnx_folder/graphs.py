"""The networks of a model as ONNX files: one file each, any batch size."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from latentbloom.conditions import ConditionSpec
from latentbloom.diffusion import Denoiser
from latentbloom.diffusion.parameterisation import expand_like
from latentbloom.model.generator import Model
from latentbloom.nn.autoencoders.base import Autoencoder

OPSET = 20
EXAMPLES = 3  # rows of the example batch; one row would fix the batch size at one
MOST_ROWS = 65_536


class GuidedNetwork(nn.Module):
    """A denoiser with classifier-free guidance inside.

        x0_hat = x0_u + w (x0_c - x0_u)

    It always runs on a doubled batch, because a graph has no branches.

    Arguments:
        denoiser: The denoiser, in float32.
        spec: Its conditions.
    """

    def __init__(self, denoiser: Denoiser, spec: ConditionSpec) -> None:
        super().__init__()
        self.denoiser = denoiser
        self.spec = spec

    def forward(self, x_t: Tensor, t: Tensor, guidance: Tensor, *indices: Tensor) -> Tensor:
        """x0_hat (B, C, h, w); x_t of that shape, t and guidance (B,), an int64 (B,) a factor."""
        cond = dict(zip(self.spec.names, indices, strict=True))
        null = self.spec.null_like(cond)
        both = {name: torch.cat([cond[name], null[name]]) for name in self.spec.names}
        x0_hat = self.denoiser(torch.cat([x_t, x_t]), torch.cat([t, t]), both)
        rows = x_t.shape[0]  # `chunk` would fix the batch size
        x0_c, x0_u = x0_hat[:rows], x0_hat[rows:]
        return x0_u + expand_like(guidance, x_t) * (x0_c - x0_u)


class Encoder(nn.Module):
    """Pictures (B, C, H, W) in [-1, 1] to mean and standard deviation of normalised latents."""

    def __init__(self, autoencoder: Autoencoder) -> None:
        super().__init__()
        self.autoencoder = autoencoder

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation (B, C, h, w)."""
        mean, std = self.autoencoder.encode(image)
        return mean, std


class Decoder(nn.Module):
    """Normalised latents (B, C, h, w) to pictures (B, C, H, W) in [-1, 1]."""

    def __init__(self, autoencoder: Autoencoder) -> None:
        super().__init__()
        self.autoencoder = autoencoder

    def forward(self, z: Tensor) -> Tensor:
        """Pictures in [-1, 1]."""
        return self.autoencoder.decode(z)


def input_names(spec: ConditionSpec) -> list[str]:
    """Names of the condition inputs of the denoiser's graph, in the order of the factors."""
    return [f"cond_{place}" for place in range(len(spec.factors))]


def write_denoiser(model: Model, path: Path) -> None:
    """Write the denoiser with guidance inside.

    Inputs: `x_t` float32 (B, C, h, w), `t` float32 (B,), `guidance` float32 (B,), and an int64
    (B,) named `cond_K` for factor K. Output: `x0_hat` float32 (B, C, h, w).
    """
    network = GuidedNetwork(model.denoiser, model.spec)
    x_t = torch.randn(EXAMPLES, *model.autoencoder.latent_shape)
    # A schedule keeps tables of its own. They are made here, before tracing makes symbolic ones.
    model.denoiser.schedule(torch.zeros(EXAMPLES))
    indices = [torch.arange(EXAMPLES) % len(f.values) for f in model.spec.factors]
    t = torch.linspace(0.1, 0.9, EXAMPLES)
    names = ["x_t", "t", "guidance", *input_names(model.spec)]
    _write(network, (x_t, t, torch.full((EXAMPLES,), 2.0), *indices), names, ["x0_hat"], path)


def write_encoder(model: Model, path: Path) -> None:
    """Write the encoder: `image` in [-1, 1] to `latent_mean` and `latent_std`, normalised."""
    image = torch.rand(EXAMPLES, model.channels, model.size, model.size) * 2 - 1
    _write(Encoder(model.autoencoder), (image,), ["image"], ["latent_mean", "latent_std"], path)


def write_decoder(model: Model, path: Path) -> None:
    """Write the decoder: normalised latents `z` to `image` in [-1, 1]."""
    z = torch.randn(EXAMPLES, *model.autoencoder.latent_shape)
    _write(Decoder(model.autoencoder), (z,), ["z"], ["image"], path)


def _write(
    network: nn.Module,
    examples: tuple[Tensor, ...],
    inputs: Sequence[str],
    outputs: Sequence[str],
    path: Path,
) -> None:
    batch = {0: torch.export.Dim("batch", min=1, max=MOST_ROWS)}
    dynamic: tuple[object, ...] = tuple(batch for _ in examples)
    if isinstance(network, GuidedNetwork):  # the conditions are one variadic argument
        dynamic = (*dynamic[:3], dynamic[3:])
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), _quiet():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(),
            examples,
            path,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes=dynamic,
            opset_version=OPSET,
            external_data=False,
            dynamo=True,
            verbose=False,
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No advice of the exporter on the console, and no traces of it for log files."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(before)
