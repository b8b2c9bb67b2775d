"""Labelled pictures in; a controllable generative model, its pictures and its scores out.

    import latentbloom

    latentbloom.fit("pictures/", out="runs/mine", minutes=20)
    model = latentbloom.load("runs/mine")
    model.sample(cond={"smiling": "yes"}, n=16, seed=0).save("samples/")

Importing the package is quick: PyTorch is loaded when one of the functions is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from latentbloom import errors
from latentbloom.threads import bound_spinning
from latentbloom.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from latentbloom.config import Background
    from latentbloom.data.audit.run import Audit
    from latentbloom.evaluate.scores import Scores
    from latentbloom.figures.show import show
    from latentbloom.fitting.pipeline import fit
    from latentbloom.model.generator import load

__all__ = ["__version__", "audit", "errors", "fit", "load", "scores", "show"]

_LAZY = {
    "fit": ("latentbloom.fitting.pipeline", "fit"),
    "load": ("latentbloom.model.generator", "load"),
    "show": ("latentbloom.figures.show", "show"),
}


def audit(
    source: Path | str,
    *,
    seed: int = 0,
    val_share: float = 0.1,
    root: Path | str = "data",
    factors: str | Sequence[str] = (),
    bins: str = "",
    values_as_written: bool = False,
    splits: str | Sequence[str] = (),
    crop: int = 148,
    background: Background = "keep",
) -> Audit:
    """Check every picture of a source: what is there, what is broken, is it enough?

    Arguments:
        source: Folder of labelled pictures, or the name of a built-in source.
        seed: Decides which pictures are held out for validation if there is no `val/`.
        val_share: The share of them, 0 to 0.9.
        root: celeba, flowers102: folder that holds them, or gets them.
        factors: Which conditions to use, as in "smiling,male"; empty for all, for celeba "smiling".
        bins: Columns of numbers to put into bins, as in "age=4" or "age=30/45/60".
        values_as_written: Take words of labels as they are written: nan, 0 and 1, Red and red.
        splits: celeba, flowers102: published splits to train on; empty for "train".
        crop: celeba: side of the centre crop, 108, 148 or 178 pixels.
        background: flowers102: "keep", or "white", "grey" or "black" behind the flowers.

    Raises:
        SourceError: There is no such folder, or next to nothing in it can be used.
        ConfigError: An option has a value that is not allowed.
    """
    from latentbloom.config import SourceOptions, parse_settings
    from latentbloom.data.audit.run import audit_source
    from latentbloom.data.sources.open import open_source

    asked = {
        "source": str(source),
        "val_share": val_share,
        "root": str(root),
        "factors": factors if isinstance(factors, str) else ",".join(factors),
        "bins": bins,
        "values_as_written": values_as_written,
        "splits": splits if isinstance(splits, str) else ",".join(splits),
        "crop": crop,
        "background": background,
    }
    return audit_source(open_source(parse_settings(SourceOptions, asked), seed=seed))


def scores(run: Path | str) -> Scores:
    """The scores that `fit` or `latentbloom evaluate` wrote into a run folder.

    Arguments:
        run: The run folder.

    Raises:
        RunFolderError: The run has not been scored yet.
    """
    from pathlib import Path

    from latentbloom.evaluate.scores import Scores

    return Scores.load(Path(run) / "scores.json")


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'latentbloom' has no attribute '{name}'")
    if name != "fit":  # which decides by its settings
        bound_spinning()
    module, attribute = _LAZY[name]
    value = getattr(import_module(module), attribute)
    globals()[name] = value  # the next access is a plain one
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
