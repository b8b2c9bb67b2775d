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
    from latentbloom.data.audit import audit_source as audit
    from latentbloom.model import load
    from latentbloom.pipeline import fit

__version__ = "0.1.0"
__all__ = ["__version__", "audit", "errors", "fit", "load"]

_LAZY = {
    "audit": ("latentbloom.data.audit", "audit_source"),
    "fit": ("latentbloom.pipeline", "fit"),
    "load": ("latentbloom.model", "load"),
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'latentbloom' has no attribute '{name}'")
    module, attribute = _LAZY[name]
    value = getattr(import_module(module), attribute)
    globals()[name] = value  # the next access is a plain one
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
