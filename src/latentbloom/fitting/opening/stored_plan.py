"""`plan.json`: what was asked for, and how the time is spent."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import ValidationError

from latentbloom.config import RunConfig, Settings, parse_config
from latentbloom.errors import RunFolderError
from latentbloom.fitting.planning.planner import Plan
from latentbloom.foreign.bounds import ForeignError
from latentbloom.foreign.json_files import read_json
from latentbloom.storage.files import write_json
from latentbloom.storage.user_files import reason


class Extension(Settings):
    """What `continue_training` was asked for last.

    Attributes:
        epochs: Epochs of stage 2 in total.
        checkpoint: Name of the checkpoint that it started from; None for the newest state.
    """

    epochs: float
    checkpoint: str | None = None


class StoredPlan(Settings):
    """The content of `plan.json`. A folder that has this file holds a run.

    Attributes:
        request: The settings as they were asked for. What a run chooses later goes to
            `config.json` and never in here.
        plan: How the time is spent.
        extended: Set once a run was extended.
        finished: Whether scores, pictures and report are complete.
    """

    request: RunConfig
    plan: Plan
    extended: Extension | None = None
    finished: bool = False

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            RunFolderError: The file is missing, or is not a plan of this program.
            ConfigError: A setting of the request is not allowed.
        """
        try:
            tree = read_json(path, folder=path.parent)
            parse_config(tree["request"], where=str(path))
            return cls.model_validate(tree)
        except FileNotFoundError:
            raise RunFolderError(f"{path} does not exist.") from None
        except OSError as error:
            raise RunFolderError(f"{path} cannot be read: {reason(error)}.") from None
        except ForeignError as error:
            raise RunFolderError(f"{path} {error}.") from None
        except (KeyError, TypeError, ValueError, ValidationError) as error:
            raise RunFolderError(
                f"{path} is not a plan of this version of latentbloom: {error}"
            ) from None

    def save(self, path: Path) -> None:
        """Write JSON."""
        write_json(path, self.model_dump(mode="json", exclude_none=False))
