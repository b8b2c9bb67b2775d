"""`latentbloom push RUN user/name`: the folder that is published, and its upload."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from latentbloom.errors import ConfigError, RunFolderError
from latentbloom.export.data_terms import is_synthetic, public_name, terms_of_run
from latentbloom.export.hub.card import published_card
from latentbloom.export.opening import check_new_folder, fill_new_folder, open_finished
from latentbloom.report.run_files import RunFiles, read_run
from latentbloom.runs.checkpoint import checkpoint_exists, load_checkpoint, save_checkpoint
from latentbloom.runs.hub import check_repository
from latentbloom.storage.files import write_atomic, write_json
from latentbloom.storage.user_files import read_text

GENERATED_FIGURES = (
    "samples_by_condition.png",
    "autoencoder_losses.png",
    "diffusion_loss.png",
)
"""Figures without real pictures."""

REAL_FIGURES = ("reconstructions.png", "latent_map.png", "copies.png")
"""Figures that show real pictures: published for pictures that the program rendered, only."""


def write_published(
    run: Path | str, name: str, folder: Path | str, *, licence: str | None = None
) -> Path:
    """Write the folder that a push uploads.

    It holds both networks, the settings, scores, the card and figures. It holds no real picture:
    figures that show some, the audit's lists of files and the report stay behind.

    Arguments:
        run: The run folder.
        name: Repository, user/name.
        folder: A new folder.
        licence: Identifier of a licence for the weights, or None.

    Returns:
        The folder.

    Raises:
        RunFolderError: The run is not finished, or the folder is taken.
        ConfigError: The name is not user/name.
    """
    run, folder = Path(run), Path(folder)
    check_repository(name)
    check_new_folder(folder)
    open_finished(run)  # refuses a run that is broken or not finished
    files = read_run(run)
    fill_new_folder(folder, lambda place: _fill(files, name, place, licence))
    return folder


def _fill(run: RunFiles, name: str, place: Path, licence: str | None) -> None:
    source = str(run.config.get("data", {}).get("source", ""))
    parts = ["vae_gan_final", "conditional_diffusion_final"]
    if checkpoint_exists(run.path / "decoder_final"):
        parts.append("decoder_final")
    for part in parts:
        tensors, meta = load_checkpoint(run.path / part)
        kept = "ema" if "ema" in tensors else "model"
        save_checkpoint(place / part, {"model": tensors[kept]}, meta)
    config = json.loads(read_text(run.path / "config.json"))
    config["data"]["source"] = public_name(source)
    config["data"].pop("root", None)  # where the data lie is nobody's business
    config.get("train", {}).pop("start_from", None)
    write_json(place / "config.json", config)
    if run.scores:
        write_json(place / "scores.json", _without_names(run.scores))
    if (run.path / "quality.json").is_file():
        write_atomic(place / "quality.json", (run.path / "quality.json").read_bytes())
    figures = GENERATED_FIGURES + (REAL_FIGURES if is_synthetic(source) else ())
    found = [figure for figure in figures if (run.path / "figures" / figure).is_file()]
    for figure in found:
        write_atomic(place / "figures" / figure, (run.path / "figures" / figure).read_bytes())
    write_atomic(place / "README.md", published_card(run, name, found, licence))


def _without_names(scores: dict[str, Any]) -> dict[str, Any]:
    """Scores without the names of training pictures that samples resemble."""
    pictures = scores.get("pictures") or {}
    copying = pictures.get("copying")
    if not copying:
        return scores
    return {**scores, "pictures": {**pictures, "copying": {**copying, "worst": []}}}


def push(
    run: Path | str,
    name: str,
    folder: Path | str,
    *,
    licence: str | None = None,
    public: bool = False,
    accept_data_terms: bool = False,
    api: Any = None,
    say: Callable[[str], None] = print,
) -> str:
    """Publish a finished run on the Hugging Face Hub.

    Arguments:
        run: The run folder.
        name: Repository, user/name; made if it is missing.
        folder: A new folder for what is uploaded.
        licence: Identifier of a licence for the weights, or None.
        public: Whether everybody may see it.
        accept_data_terms: Whether the author has read the terms of the training pictures.
        api: A `huggingface_hub.HfApi`; default a new one.
        say: Called with what is being done.

    Returns:
        The address of the upload.

    Raises:
        ConfigError: huggingface_hub is missing, or the data's terms forbid a public repository.
        RunFolderError: The run is not finished, or the Hub refuses.
    """
    check_repository(name)
    read_run(run)  # refuses what is no run
    check_terms(run, public=public, accepted=accept_data_terms)
    if api is None:
        if importlib.util.find_spec("huggingface_hub") is None:
            raise ConfigError(
                "Publishing needs huggingface_hub, which is not installed: "
                "pip install huggingface_hub"
            )
        from huggingface_hub import HfApi

        api = HfApi()
    write_published(run, name, folder, licence=licence)
    say(f"Uploading {folder} to {name}")
    try:
        api.create_repo(name, private=not public, exist_ok=True)
        done = api.upload_folder(
            repo_id=name, folder_path=str(folder), commit_message="Publish a model of latentbloom"
        )
    except OSError as error:  # all errors of huggingface_hub that concern the Hub are of that kind
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise RunFolderError(
            f"The Hugging Face Hub refused {name}: {first} Log in with `hf auth login`, and check "
            f"that you may write there. What would be uploaded is in {folder}."
        ) from None
    return str(getattr(done, "commit_url", done))


def check_terms(run: Path | str, *, public: bool, accepted: bool) -> None:
    """Refuse to publish models of pictures whose terms forbid it, unless the author insists.

    Raises:
        ConfigError: They do, and nobody has accepted them.
    """
    terms = terms_of_run(run)
    if terms and public and not accepted:
        raise ConfigError(
            f"{terms.sentence} ({terms.url}) A public model of them may break these terms. Leave "
            "--public away, or give --accept-data-terms if you have read them and may publish."
        )
