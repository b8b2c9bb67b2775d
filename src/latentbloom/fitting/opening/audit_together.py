"""The audit of a run's pictures, by one process or several."""

from __future__ import annotations

from typing import TYPE_CHECKING

from latentbloom.errors import ConfigError
from latentbloom.sharing import ALONE, Group

if TYPE_CHECKING:
    from rich.console import Console

    from latentbloom.config import RunConfig
    from latentbloom.data.audit.findings import Audit
    from latentbloom.data.sources.base import Source


def audit_together(
    request: RunConfig, console: Console, group: Group = ALONE
) -> tuple[Source, Audit]:
    """Open the source and audit it. All processes of the group call this, and share the reading."""
    from latentbloom.data.audit.run import audit_source
    from latentbloom.data.audit.table import audit_table
    from latentbloom.data.sources.open import open_source
    from latentbloom.device import default_device

    with console.status("Reading every picture ..."):
        source = open_source(request.data, seed=request.train.seed)
        _check_channels(request, source)
        audit = audit_source(
            source,
            device_type=default_device().type,
            size=request.data.size,
            keep=request.data.fit,
            group=group,
        )
    console.print(audit_table(audit))
    return source, audit


def _check_channels(request: RunConfig, source: Source) -> None:
    from latentbloom.data.sources.options import COLOUR

    if request.data.channels == 1 and COLOUR in source.spec.names:
        raise ConfigError(
            f"data.channels is 1, and a grey model cannot show a {COLOUR}. Remove {COLOUR} from "
            "--factors, or do not set data.channels."
        )
