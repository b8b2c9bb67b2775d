"""Errors that are meant for people.

Each message names the file or field, says what was found, what is allowed and what to do.
The command line prints the message alone; anything else that escapes is a bug and keeps
its traceback.
"""


class LatentbloomError(Exception):
    """Base of every error that a user can mend."""


class SourceError(LatentbloomError):
    """The pictures or their labels cannot be used as they are."""


class ConditionError(LatentbloomError):
    """A factor or a value was named that the model does not know."""


class ConfigError(LatentbloomError):
    """A setting, or a pair of settings, makes no sense."""


class RunFolderError(LatentbloomError):
    """The folder is not a run of this program, or misses a piece that is needed."""


class CheckpointError(LatentbloomError):
    """A checkpoint cannot be read, written or used with another one."""


class TrainingError(LatentbloomError):
    """Training cannot go on, for example because the loss is not finite."""
