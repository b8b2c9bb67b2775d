"""Runs on the Hugging Face Hub: "hub:user/name@revision" in place of a run folder."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from latentbloom.errors import ConfigError, RunFolderError

PREFIX = "hub:"
NAME = re.compile(r"[\w.-]+/[\w.-]+")


def local_run(run: Path | str) -> Path:
    """The folder of a run; one on the Hub is downloaded into the Hub's cache first.

    Arguments:
        run: A folder, or "hub:user/name" with or without "@revision".

    Raises:
        ConfigError: The name is not user/name, or huggingface_hub is missing.
        RunFolderError: The Hub has no such repository or revision, or it cannot be reached.
    """
    text = run if isinstance(run, str) else run.as_posix()
    if not text.startswith(PREFIX):
        return Path(run)
    name, _, revision = text.removeprefix(PREFIX).partition("@")
    check_repository(name)
    if importlib.util.find_spec("huggingface_hub") is None:
        raise ConfigError(
            f"{text} is on the Hugging Face Hub. That needs huggingface_hub: "
            "pip install huggingface_hub"
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        # No code and no pickle is ever loaded from there: settings and safetensors alone.
        found = snapshot_download(
            name,
            revision=revision or None,
            allow_patterns=["*.json", "*.safetensors", "README.md", "figures/*"],
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise RunFolderError(
            f"{text} cannot be read from the Hugging Face Hub: {first} Check the name, the "
            "revision and the network; a private repository needs `hf auth login`."
        ) from None
    return Path(found)


def check_repository(name: str) -> str:
    """The name of a repository itself, if it is one.

    Raises:
        ConfigError: It is not user/name.
    """
    if not NAME.fullmatch(name):
        raise ConfigError(f"'{name}' is no repository on the Hub. Write user/name.")
    return name
