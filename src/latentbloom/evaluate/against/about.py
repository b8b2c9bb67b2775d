"""Which pictures scores compare with, where they are not the run's held-out ones."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from latentbloom.storage.files import file_word


class Against(BaseModel):
    """Another source that samples were compared with, in place of the run's held-out pictures.

    Arguments:
        source: What the user called it.
        path: Its absolute path; "" for a built-in source.
        options: Options of the source that were given, such as {"splits": "test"}.
        pictures: How many it has; all of them are used.
        labelled: Whether it has labels that the model knows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    path: str = ""
    options: dict[str, str] = {}
    pictures: int
    labelled: bool

    @property
    def title(self) -> str:
        """For example "celeba (splits test)"."""
        options = ", ".join(f"{name} {value}" for name, value in self.options.items())
        return f"{self.source} ({options})" if options else self.source

    @property
    def word(self) -> str:
        """Part of a file name: the last part of the path, and the options."""
        pieces = [Path(self.path or self.source).name, *self.options.values()]
        return file_word("-".join(pieces), most=80)

    def same_set(self, other: Against) -> bool:
        """Whether both mean the same pictures."""
        mine, theirs = (s.path or s.source for s in (self, other))
        return (mine, self.options) == (theirs, other.options)
