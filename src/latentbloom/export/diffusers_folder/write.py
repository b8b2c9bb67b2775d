"""`latentbloom export RUN --to diffusers DIR`: a folder that plain diffusers loads."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentbloom.commands import command_line
from latentbloom.diffusion.solvers import make_solver
from latentbloom.export.description import describe_model
from latentbloom.export.opening import check_new_folder, fill_new_folder, open_finished
from latentbloom.export.standalone import standalone_source
from latentbloom.model.generator import Model
from latentbloom.storage.files import write_atomic, write_json

if TYPE_CHECKING:
    import torch

MOST_CLASSES = 20_000
"""Combinations of values, "any" included, up to which a stock U-Net gets a class for each."""

HERE = "latentbloom.export.diffusers_folder"
WEIGHTS = "diffusion_pytorch_model.safetensors"


def export_diffusers(
    run: Path | str, folder: Path | str, *, say: Callable[[str], None] = print
) -> None:
    """Write a finished run as a pipeline of diffusers, with its own code and without this package.

    Load it with `DiffusionPipeline.from_pretrained(DIR, custom_pipeline=DIR,
    trust_remote_code=True)`. The network of the family `pixel` is diffusers' own `UNet2DModel`.

    Arguments:
        run: The run folder.
        folder: A new folder.
        say: Called with what is being done.

    Raises:
        RunFolderError: The run is not finished, or the folder is taken.
    """
    run, folder = Path(run), Path(folder)
    check_new_folder(folder)
    model = open_finished(run)
    fill_new_folder(folder, lambda place: _fill(model, run, place, say))


def _fill(model: Model, run: Path, place: Path, say: Callable[[str], None]) -> None:
    from diffusers import __version__

    say("Writing the denoiser")
    library, name = _write_denoiser(model, place / "denoiser", __version__)
    autoencoder: list[str | None] = [None, None]
    if model.reconstructs:
        say("Writing the autoencoder")
        autoencoder = ["latentbloom_autoencoder", "LatentbloomAutoencoder"]
        _write_autoencoder(model, place / "autoencoder", __version__)
    usual = model.config.sampling
    solver = make_solver(usual.sampler, model.denoiser.schedule, usual.num_steps)
    solver.scheduler.save_pretrained(place / "scheduler")
    _write_code(place / "pipeline.py", "pipeline")
    interval = usual.guidance_interval
    write_json(
        place / "model_index.json",
        {
            "_class_name": ["pipeline", "LatentbloomPipeline"],
            "_diffusers_version": __version__,
            "denoiser": [library, name],
            "scheduler": ["diffusers", type(solver.scheduler).__name__],
            "autoencoder": autoencoder,
            "factors": model.spec.to_json(),
            "shown": None if model.shown is None else sorted(map(list, model.shown)),
            "schedule": model.denoiser.schedule.name,
            "prediction": model.denoiser.kind,
            "shape": list(model.autoencoder.latent_shape),
            "steps": usual.num_steps,
            "guidance": usual.guidance,
            "guidance_interval": None if interval is None else list(interval),
        },
    )
    write_atomic(place / "README.md", _readme(model, run))


def _write_denoiser(model: Model, place: Path, version: str) -> tuple[str, str]:
    """Write the network; returns the module and the class that load it."""
    unet = stock_unet(model)
    if unet is not None:
        unet.save_pretrained(place)
        return "diffusers", "UNet2DModel"
    config = model.config.denoiser
    assert config is not None
    settings = config.model_dump()
    settings |= {"shape": list(model.autoencoder.latent_shape), "factors": model.spec.to_json()}
    _write_model(
        place, "LatentbloomDenoiser", settings, model.denoiser.backbone.state_dict(), version
    )
    _write_code(place / "latentbloom_denoiser.py", "latentbloom_denoiser")
    return "latentbloom_denoiser", "LatentbloomDenoiser"


def _write_autoencoder(model: Model, place: Path, version: str) -> None:
    settings = model.autoencoder.config.model_dump() | {"factors": model.spec.to_json()}
    weights = model.autoencoder.state_dict()
    _write_model(place, "LatentbloomAutoencoder", settings, weights, version)
    _write_code(place / "latentbloom_autoencoder.py", "latentbloom_autoencoder")


def _write_model(
    place: Path,
    name: str,
    settings: Mapping[str, Any],
    weights: Mapping[str, torch.Tensor],
    version: str,
) -> None:
    from safetensors.torch import save

    head = {"_class_name": name, "_diffusers_version": version}
    write_json(place / "config.json", {**head, **settings})
    tensors = {f"net.{key}": value.contiguous() for key, value in weights.items()}
    write_atomic(place / WEIGHTS, save(tensors, metadata={"format": "pt"}))


def _write_code(path: Path, module: str) -> None:
    docstring = "Part of a model that latentbloom exported. Made by a program; MIT licence."
    write_atomic(path, standalone_source(f"{HERE}.{module}", docstring))


def stock_unet(model: Model) -> Any:
    """The model as a stock U-Net of diffusers, or None where its network is another one.

    The model adds up an embedding for each factor. The stock network has one table of classes, so
    each combination of values, "any" included, becomes a class with the sum as its embedding.
    """
    import torch
    from diffusers.models.unets.unet_2d import UNet2DModel

    from latentbloom.export.diffusers_folder.pipeline import number_of_classes
    from latentbloom.nn.backbones.pixel_unet import PixelUNet

    backbone = model.denoiser.backbone
    if not isinstance(backbone, PixelUNet) or number_of_classes(model.spec) > MOST_CLASSES:
        return None
    config = {k: v for k, v in backbone.unet.config.items() if not k.startswith("_")}
    config |= {"class_embed_type": None, "num_class_embeds": number_of_classes(model.spec)}
    stock = UNet2DModel(**config)
    ranges = [range(factor.num_embeddings) for factor in model.spec.factors]
    rows = torch.tensor(list(itertools.product(*ranges)), dtype=torch.long)
    cond = {name: rows[:, place] for place, name in enumerate(model.spec.names)}
    with torch.no_grad():
        table = backbone.condition(cond)
    weights = {**backbone.unet.state_dict(), "class_embedding.weight": table}
    stock.load_state_dict(weights)
    return stock.eval()


def _readme(model: Model, run: Path) -> str:
    about = describe_model(model, run)
    example = next(model.spec.combinations(), {})
    asked = "{" + ", ".join(f'"{k}": "{v}"' for k, v in example.items()) + "}"
    lines = [
        f"# {about['name']}",
        "",
        f"A model of {model.size} x {model.size} pictures for diffusers, made by "
        f"{about['made_by']}. The folder holds its own code.",
        "",
        "```python",
        "from diffusers import DiffusionPipeline",
        "",
        'folder = "."  # this folder',
        "pipeline = DiffusionPipeline.from_pretrained(",
        "    folder, custom_pipeline=folder, trust_remote_code=True",
        ")",
        f"images = pipeline({asked}, num_images=4, seed=0).images",
        "```",
        "",
        "The same seed gives the same pictures as "
        f"`{command_line('sample', about['name'], '--seed', 0)}`, up to rounding.",
        "",
        "Conditions:",
        "",
        *(f"- `{f['name']}`: {', '.join(f['values'])}" for f in about["factors"]),
        "",
    ]
    if about["data"]["terms"]:
        lines += [f"**Terms of the training pictures.** {about['data']['terms']}", ""]
    return "\n".join(lines)
