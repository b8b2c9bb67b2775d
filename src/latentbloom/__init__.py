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

if TYPE_CHECKING:
    from pathlib import Path

    from latentbloom.data.audit import Audit
    from latentbloom.model import load
    from latentbloom.pipeline import fit

__version__ = "0.1.0"
__all__ = ["__version__", "audit", "errors", "fit", "load"]

_LAZY = {
    "fit": ("latentbloom.pipeline", "fit"),
    "load": ("latentbloom.model", "load"),
}


def audit(source: Path | str, *, seed: int = 0, val_share: float = 0.1) -> Audit:
    """Look at every picture of a source: what is there, what is broken, is it enough?

    Arguments:
        source: Folder of labelled pictures, or the name of a built-in source.
        seed: Decides which pictures are kept for validation where there is no `val/`.
        val_share: The share of them, 0 to 1.

    Raises:
        SourceError: There is no such folder, or next to nothing in it can be used.
    """
    from latentbloom.data.audit import audit_source
    from latentbloom.data.source import open_source

    return audit_source(open_source(str(source), seed=seed, val_share=val_share))


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'latentbloom' has no attribute '{name}'")
    module, attribute = _LAZY[name]
    value = getattr(import_module(module), attribute)
    globals()[name] = value  # the next access is a plain one
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
