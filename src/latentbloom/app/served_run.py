"""A run that the server shows: what its files say at once, its model when it is first needed."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentbloom.conditions import ConditionSpec
from latentbloom.errors import LatentbloomError, RunFolderError
from latentbloom.report.facts import get, key_numbers, state_of, summary
from latentbloom.report.run_files import RunFiles, read_run
from latentbloom.runs.checkpoint_files import META, locate, read_meta

if TYPE_CHECKING:
    from latentbloom.app.work.atlas import Atlas
    from latentbloom.app.work.held_out import HeldOut
    from latentbloom.model.autoencoder import AutoencoderModel
    from latentbloom.model.generator import Model

DENOISERS = ("conditional_diffusion_final", "conditional_diffusion_last")
AUTOENCODERS = ("vae_gan_final", "vae_gan_best")
_DRAFT_STEPS = 4


class UnknownRunError(LatentbloomError):
    """No run of that name is served."""


class ServedRun:
    """One run folder. Reading its files needs no PyTorch, so the page is there at once.

    The model is loaded by the first request that needs it, and again when training has written
    a newer one.

    Arguments:
        path: The run folder.
        name: What the page and the API call it.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self.name = name
        self._lock = threading.RLock()
        self._stamp: tuple[int, ...] | None = None
        self._model: AutoencoderModel | None = None
        self._atlas: Atlas | None = None
        self._held_out: HeldOut | None = None

    def files(self) -> RunFiles:
        """The files of the run, as they are now."""
        return read_run(self.path)

    def spec(self) -> ConditionSpec:
        """The factors that the model knows; none before the first checkpoint.

        Raises:
            CheckpointError: The newest checkpoint is broken.
        """
        for name in (*DENOISERS, *AUTOENCODERS):
            place = locate(self.path / name)
            if place is not None:
                head = read_meta(place, shown=self.path / name)
                return ConditionSpec.from_json(head["meta"].get("spec", []))
        return ConditionSpec(())

    @property
    def generates(self) -> bool:
        """Whether there is a denoiser, finished or not."""
        return self._exists(DENOISERS)

    @property
    def edits(self) -> bool:
        """Whether it can edit pictures."""
        return self.generates and get(self._config(), "autoencoder.family") != "pixel"

    def describe(self) -> dict[str, Any]:
        """What the page shows of the run before anything is computed."""
        run = self.files()
        try:
            spec = self.spec()
        except LatentbloomError:
            spec = ConditionSpec(())
        family = get(run.config, "autoencoder.family", "swift")
        return {
            "name": self.name,
            "state": state_of(run),
            "summary": summary(run),
            "numbers": [
                {"label": one.label, "value": one.value, "hint": one.hint}
                for one in key_numbers(run)
            ],
            "source": str(get(run.config, "data.source", "")),
            "size": get(run.config, "autoencoder.size") or get(run.config, "data.size") or 64,
            "channels": get(run.config, "autoencoder.channels", 3),
            "family": family,
            "factors": spec.to_json(),
            "generates": self.generates,
            "explores": self._exists(AUTOENCODERS) or family == "pixel",
            "edits": self.edits,
            "sampling": self.usual(),
            "qualities": self.qualities(),
        }

    def usual(self) -> dict[str, Any]:
        """Sampler, steps and guidance as trained."""
        config = self._config()
        return {
            "sampler": get(config, "sampling.sampler", "dpm++"),
            "num_steps": get(config, "sampling.num_steps", 20),
            "guidance": get(config, "sampling.guidance", 1.0),
        }

    def qualities(self) -> dict[str, dict[str, Any]]:
        """What draft, balanced and best mean: as measured, else by the number of steps."""
        from latentbloom.evaluate.speed_map import FILE_NAME, SpeedMap

        found = SpeedMap.load(self.path / FILE_NAME)
        if found is not None:
            return {str(name): one.model_dump() for name, one in found.chosen.items()}
        usual = self.usual()
        steps = {
            "draft": min(_DRAFT_STEPS, usual["num_steps"]),
            "balanced": usual["num_steps"],
            "best": 2 * usual["num_steps"],
        }
        return {name: {**usual, "num_steps": count} for name, count in steps.items()}

    def model(self) -> Model:
        """The model, loaded or reloaded as needed. Call this in the queue's thread.

        Raises:
            RunFolderError: The run has no denoiser yet.
            CheckpointError: A checkpoint is broken.
        """
        from latentbloom.model.generator import Model

        found = self.autoencoder()
        if not isinstance(found, Model):
            raise RunFolderError(
                f"{self.name} has no denoiser yet: stage 2 has not begun. Try again later."
            )
        return found

    def autoencoder(self) -> AutoencoderModel:
        """The model, or its autoencoder alone before stage 2."""
        from latentbloom.model.autoencoder import load_autoencoder_model
        from latentbloom.model.generator import load

        with self._lock:
            stamp = self._checkpoint_stamp()
            if self._model is None or stamp != self._stamp:
                whole = self._exists(DENOISERS)
                self._model = load(self.path) if whole else load_autoencoder_model(self.path)
                self._stamp = stamp
                self._atlas = None
            return self._model

    def held_out(self) -> HeldOut:
        """Held-out pictures of the run, or training pictures where there are none."""
        from latentbloom.app.work.held_out import open_held_out

        with self._lock:
            if self._held_out is None:
                self._held_out = open_held_out(self.path)
            return self._held_out

    def atlas(self) -> Atlas:
        """The map of latents, computed once for each model."""
        from latentbloom.app.work.atlas import make_atlas

        with self._lock:
            model = self.autoencoder()
            if self._atlas is None:
                self._atlas = make_atlas(self.path, model, self.held_out())
            return self._atlas

    def _config(self) -> dict[str, Any]:
        """config.json alone: a request needs no more, and metrics.jsonl may be long."""
        try:
            return json.loads((self.path / "config.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    def _exists(self, names: Sequence[str]) -> bool:
        return any(locate(self.path / name) is not None for name in names)

    def _checkpoint_stamp(self) -> tuple[int, ...]:
        stamps = []
        for names in (DENOISERS, AUTOENCODERS):
            places = [place for name in names if (place := locate(self.path / name)) is not None]
            # While training runs, its newest state changes with every checkpoint.
            stamps += [(places[0] / META).stat().st_mtime_ns] if places else [0]
        return tuple(stamps)


def open_runs(paths: Sequence[Path]) -> dict[str, ServedRun]:
    """The runs by name, each named after its folder.

    Raises:
        RunFolderError: A folder does not exist or is not a run.
    """
    runs: dict[str, ServedRun] = {}
    for path in paths:
        read_run(path)  # refuses what is no run
        base = path.resolve().name
        name, number = base, 2
        while name in runs:
            name, number = f"{base} ({number})", number + 1
        runs[name] = ServedRun(path, name)
    return runs
