"""A trained model that samples pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from latentbloom.config import DenoiserConfig, DiffusionSettings
from latentbloom.device import find_device, low_precision
from latentbloom.diffusion import State, X0Denoiser, guide, sample_states
from latentbloom.diffusion.sampling import steady_sampler, suited_sampler
from latentbloom.errors import CheckpointError, check_count, check_number
from latentbloom.model.autoencoder import CHUNK, finish_decoder, load_autoencoder
from latentbloom.model.build import build_denoiser
from latentbloom.model.described import check_shapes, described, described_spec
from latentbloom.model.editing.editor import EditingModel
from latentbloom.model.records import Record, Records
from latentbloom.model.request import Asked, Request, records_of
from latentbloom.runs.checkpoint import load_checkpoint
from latentbloom.runs.folder import RunFolder
from latentbloom.runs.hub import local_run


class Model(EditingModel):
    """Autoencoder and denoiser of one run; `EditingModel` has what it does with real pictures.

    Pictures are always computed in groups of `CHUNK`, padded if there are fewer, so that a picture
    is the same to the bit whatever it is sampled with.

    Arguments:
        config: Settings of the run.
        spec: The factors that can be asked for.
        autoencoder: Decodes latents.
        denoiser: Makes latents. It is not changed: lower precision uses a copy.
        device: Where to compute.
        autocast_dtype: Lower precision for the networks, or None.
        shown: Combinations of values that training showed; None: all of them.
        run: The run folder, whose training latents tell what a real picture shows.
    """

    def sample(
        self,
        cond: Asked = None,
        n: int | None = None,
        seed: int = 0,
        *,
        indices: Sequence[int] | None = None,
        guidance: float | None = None,
        guidance_interval: tuple[float, float] | None = None,
        num_steps: int | None = None,
        sampler: str | None = None,
        batch_size: int = 64,
        path: bool = False,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Records:
        """Sample pictures.

        Arguments:
            cond: Words by factor, for example {"smiling": "yes"}; or one such dict a picture. A
                factor left out may be anything.
            n: How many, at least 1; default one for each dict or index, else 16.
            seed: Any integer. With a picture's number it determines the noise; nothing else does.
            indices: Numbers of the pictures, each in [0, 2^32); default 0, 1, ..., n - 1.
            guidance: w >= 0: 1 plain conditional, 0 unconditional, above 1 stronger; default as
                trained.
            guidance_interval: (low, high), times in [0, 1] between which guidance acts; outside
                them sampling is plain conditional. Default as trained; (0, 1) is always.
            num_steps: Solver steps, at least 1; default as trained.
            sampler: Name in `latentbloom.diffusion.SAMPLERS`; default as trained, see
                `suited_sampler`.
            batch_size: Pictures between two reports of progress, at least 1; changes no picture.
            path: Keep all states of each path.
            on_progress: Called after each batch with how many are done, and how many there are.

        Returns:
            The pictures, in order.

        Raises:
            ConditionError: A factor or a value is unknown, or there are not `n` dicts.
            ConfigError: The sampler is unknown, or a number is out of range.
        """
        usual = self.config.sampling
        guidance = usual.guidance if guidance is None else guidance
        interval = usual.guidance_interval if guidance_interval is None else guidance_interval
        num_steps = usual.num_steps if num_steps is None else num_steps
        sampler = suited_sampler(usual.sampler, num_steps) if sampler is None else sampler
        check_count("batch_size", batch_size)
        request = Request(cond, n, seed, indices)
        request.cond(self.spec)  # unknown words are refused before anything is computed
        denoiser = self.guided(guidance, interval)
        records: list[Record] = []
        for batch in request.split(batch_size):
            for chunk in batch.split(CHUNK):
                states = self.states(
                    chunk.filled(CHUNK), denoiser=denoiser, num_steps=num_steps, sampler=sampler
                )
                records += records_of(chunk, states, self.decode, path=path)
            if on_progress is not None:
                on_progress(len(records), len(request))
        settings: dict[str, float | str] = {
            "sampler": sampler,
            "num_steps": int(num_steps),
            "guidance": float(guidance),
            "seed": request.seed,
        }
        if interval is not None:
            settings["guidance_interval"] = ",".join(f"{time:g}" for time in interval)
        return Records(records, settings)

    def states(
        self,
        request: Request,
        *,
        x_1: torch.Tensor | None = None,
        denoiser: X0Denoiser | None = None,
        num_steps: int | None = None,
        sampler: str | None = None,
    ) -> Iterator[State]:
        """The states of a request's pictures on the path from noise, in one batch.

        Arguments:
            request: What the pictures show, and their numbers.
            x_1: Noise (n, C, h, w) to start from; default that of the request. Given, it alone
                decides: without `sampler`, none is used that adds noise of its own.
            denoiser: Takes x_t to x0_hat; default `guided()`.
            num_steps: Solver steps; default as trained.
            sampler: Name of the solver; default as trained.

        Returns:
            An iterator over num_steps + 1 states of the request's n rows.
        """
        usual = self.config.sampling
        num_steps = usual.num_steps if num_steps is None else num_steps
        if sampler is None:
            own = usual.sampler if x_1 is None else steady_sampler(usual.sampler)
            sampler = suited_sampler(own, num_steps)
        noise = request.noise(self.autoencoder.latent_shape) if x_1 is None else x_1
        return sample_states(
            self.guided() if denoiser is None else denoiser,
            noise.to(self.device),
            request.cond(self.spec, self.device),
            sampler=sampler,
            num_steps=num_steps,
            generators=request.generators(),
        )

    def guided(
        self,
        guidance: float | torch.Tensor | None = None,
        interval: tuple[float, float] | None = None,
    ) -> X0Denoiser:
        """The denoiser with guidance.

        Arguments:
            guidance: w >= 0, a number or one a row (B,); default as trained.
            interval: (low, high), times in [0, 1] between which it acts; default as trained.

        Raises:
            ConfigError: The guidance is negative or not finite, or the interval is not
                0 <= low <= high <= 1.
        """
        usual = self.config.sampling
        w = usual.guidance if guidance is None else guidance
        for value in w.flatten().tolist() if isinstance(w, torch.Tensor) else [w]:
            check_number("guidance", value, least=0, hint=": 1 plain conditional, 0 unconditional")
        within = usual.guidance_interval if interval is None else interval
        return guide(self.denoiser, self.spec, w, interval=within, shown=self.shown)


def load(run: Path | str, *, device: str | None = None, full_precision: bool = False) -> Model:
    """Load the finished model of a run, or the newest usable one of an unfinished run.

    Arguments:
        run: The run folder, or a run on the Hugging Face Hub as "hub:user/name@revision".
        device: "cpu", "cuda" or "mps"; default the best that is available.
        full_precision: Compute in float32, also where the run was trained in bfloat16.

    Raises:
        RunFolderError: The folder is not a run, or it has no model yet.
        CheckpointError: A checkpoint is broken, or the two do not belong together.
        ConfigError: There is no such device.
    """
    folder = RunFolder(local_run(run))
    config = folder.load_config()
    place = folder.denoiser
    _, meta = load_checkpoint(place, [])
    autoencoder, fingerprint = load_autoencoder(folder.autoencoder)
    trained_on = str(meta.get("autoencoder"))
    if trained_on != fingerprint:
        raise CheckpointError(
            f"{place} was trained on the latents of another autoencoder "
            f"({trained_on[:12]}) than {folder.autoencoder} ({fingerprint[:12]}). "
            "Put the two that belong together into one run folder."
        )
    finish_decoder(folder, autoencoder, fingerprint)
    spec = described_spec(meta, place)
    shape = autoencoder.latent_shape
    network = described(DenoiserConfig, meta, "config", place)
    settings = described(DiffusionSettings, meta, "settings", place)
    part = "model" if place.name.endswith("_final") else "ema"
    check_shapes(place, part, lambda: build_denoiser(network, settings, spec, shape).backbone)
    tensors, meta = load_checkpoint(place, [part])
    denoiser = build_denoiser(network, settings, spec, shape)
    denoiser.backbone.load_state_dict(tensors[part])
    return Model(
        config,
        spec,
        autoencoder,
        denoiser,
        device=find_device(device),
        autocast_dtype=None if full_precision else low_precision(config),
        shown=_shown(meta),
        run=folder.path,
    )


def _shown(meta: Mapping[str, Any]) -> list[tuple[int, ...]] | None:
    """The combinations that the training pictures show; None where they show all."""
    shown = meta.get("shown")
    return [tuple(row) for row in shown] if isinstance(shown, list) else None
