"""The run folder: the name and place of everything about one run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latentbloom.config import RunConfig, parse_config
from latentbloom.errors import RunFolderError
from latentbloom.foreign.bounds import ForeignError
from latentbloom.foreign.json_files import read_json
from latentbloom.runs import names
from latentbloom.runs.checkpoint_files import locate
from latentbloom.runs.lock import HOLDER, LOCK
from latentbloom.storage.files import condition_word, file_word
from latentbloom.storage.user_files import odd_kind

MARKER = "config.json"
# What a setting was before it existed: a run of an earlier version continues as it began.
BEFORE = {
    ("diffusion", "alignment_weight"): 0.0,
    ("diffusion", "self_guidance"): 1.0,
    ("train", "starter"): False,
    ("denoiser", "stem"): 0,
}


@dataclass(frozen=True)
class RunFolder:
    """Paths inside a run folder. Making one touches nothing.

    Arguments:
        path: The folder.
    """

    path: Path

    @property
    def config(self) -> Path:
        """The settings that ran."""
        return self.path / MARKER

    @property
    def request(self) -> Path:
        """The settings that were asked for, and the plan made from them."""
        return self.path / "plan.json"

    @property
    def audit(self) -> Path:
        """What is in the data."""
        return self.path / "audit.json"

    @property
    def pictures(self) -> Path:
        """The names, splits and labels of the pictures that the run began with."""
        return self.path / "pictures.json"

    @property
    def colours(self) -> Path:
        """The colours that were found in the data, where they are a condition."""
        return self.path / "colours.json"

    @property
    def names(self) -> Path:
        """What the words in the names of its files stand for."""
        return self.path / names.FILE

    @property
    def metrics(self) -> Path:
        """Losses and scores over time."""
        return self.path / "metrics.jsonl"

    @property
    def scores(self) -> Path:
        """Scores of the finished model."""
        return self.path / "scores.json"

    def scores_against(self, word: str) -> Path:
        """Scores of the finished model against another source."""
        return self.path / f"scores-against-{word}.json"

    @property
    def all_scores_against(self) -> list[Path]:
        """Those that are there, in order of their names."""
        return sorted(self.path.glob("scores-against-*.json"))

    @property
    def report(self) -> Path:
        """The report page."""
        return self.path / "report.html"

    @property
    def autoencoder(self) -> Path:
        """The finished autoencoder."""
        return self.path / "vae_gan_final"

    @property
    def decoder(self) -> Path:
        """The decoder as stage 3 left it, where there was one."""
        return self.path / "decoder_final"

    @property
    def best_autoencoder(self) -> Path:
        """The finished autoencoder, or the best one so far."""
        best = self.path / "vae_gan_best"
        return best if locate(self.autoencoder) is None else self.autoencoder

    @property
    def final_denoiser(self) -> Path:
        """The trained denoiser, once stage 2 is complete."""
        return self.path / "conditional_diffusion_final"

    @property
    def denoiser(self) -> Path:
        """The finished denoiser, or the newest state of one in training.

        Raises:
            RunFolderError: There is neither.
        """
        for name in ("conditional_diffusion_final", "conditional_diffusion_last"):
            if locate(self.path / name) is not None:
                return self.path / name
        raise RunFolderError(
            f"{self.path} has no denoiser yet: stage 2 has not begun. Run `latentbloom fit` with "
            "the same --out again; it resumes where it stopped."
        )

    def latents(self, split: str) -> Path:
        """Encoded pictures of "train" or "val"."""
        return self.path / "latents" / split

    def load_config(self) -> RunConfig:
        """The settings that ran.

        Raises:
            RunFolderError: The folder does not exist or is not a run of this program.
        """
        if not self.path.is_dir():
            raise RunFolderError(
                f"There is no folder {self.path}. Name the folder that `latentbloom fit --out` "
                "was given."
            )
        if kind := odd_kind(self.config):
            raise RunFolderError(
                f"{self.path} is no run of latentbloom: its {MARKER} is {kind}, not a file."
            )
        if not self.config.is_file():
            raise RunFolderError(
                f"{self.path} is no run of latentbloom: it has no {MARKER}. Name the folder that "
                "`latentbloom fit --out` was given."
            )
        try:
            tree = read_json(self.config, folder=self.path)
        except ForeignError as error:
            raise RunFolderError(f"{self.path} is not read: its {MARKER} {error}.") from None
        if not isinstance(tree, dict) or not {"data", "vae_gan", "train"} <= tree.keys():
            raise RunFolderError(
                f"{self.path} is no run of latentbloom: its {MARKER} is that of other software, "
                "or broken."
            )
        return parse_config(_of_its_version(tree), where=str(self.config))

    def started(self) -> bool:
        """Whether a run of this program lies here."""
        return self.request.is_file()

    def check_free(self) -> None:
        """Refuse a folder that holds something else.

        What a `fit` that was killed while it began a run has left there is no obstacle.

        Raises:
            RunFolderError: The folder holds other files and no run of this program.
        """
        if self.path.is_dir() and not self.started() and not self._only_leftovers():
            raise RunFolderError(
                f"{self.path} holds other files and no run of latentbloom. Choose another --out, "
                "or empty the folder."
            )

    def _only_leftovers(self) -> bool:
        """Whether all files are of a run whose beginning was interrupted."""
        files = (self.audit, self.pictures, self.colours, self.names, self.config, self.request)
        begun = tuple(path.name for path in files)
        places = (*begun, LOCK, HOLDER)
        whole = {path.name for path in self.path.iterdir() if not _half_written(path.name, places)}
        whole -= {LOCK, HOLDER}
        if not whole:
            return True
        return whole <= set(begun) and self._audited()

    def _audited(self) -> bool:
        """Whether `audit.json` is one of this program."""
        try:
            tree = read_json(self.audit, folder=self.path)
        except (OSError, ValueError):
            return False
        return isinstance(tree, dict) and tree.get("format") == "latentbloom-audit"


def _of_its_version(tree: dict[str, Any]) -> dict[str, Any]:
    """A run's settings, with what an earlier version did where it wrote no setting."""
    found = dict(tree)
    for (group, name), value in BEFORE.items():
        if isinstance(found.get(group), dict) and name not in found[group]:
            found[group] = {**found[group], name: value}
    return found


def _half_written(name: str, places: tuple[str, ...]) -> bool:
    """Whether a file is what `write_atomic` writes beside one of these places."""
    match = re.fullmatch(r"\.\d+\.new\.(.+)", name)
    return match is not None and match[1] in places


def default_run(source: str) -> Path:
    """runs/NAME, NAME being the last part of the source's path."""
    name = Path(source).resolve().name or "run"
    word = file_word(name)
    # Of a name without letters and digits nothing is left.
    return Path("runs") / (condition_word([name]) if word == "any" else word)
