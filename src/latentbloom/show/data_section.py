"""What the model was trained on, from audit.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latentbloom.show.runfiles import RunFiles
from latentbloom.show.sections import Section


def data_section(run: RunFiles) -> Section:
    """Counts per label as bars, facts, and what the audit said in words."""
    section = Section("data", "Data")
    audit = run.audit
    if not audit:
        section.missing.append("There is no audit.json, or it cannot be read.")
        return section
    section.data["facts"] = [
        (name.replace("_", " "), f"{value:,}" if isinstance(value, int) else str(value))
        for name, value in audit.items()
        if isinstance(value, int | float | str) and not isinstance(value, bool) and value != ""
    ]
    section.data["factors"] = []
    section.data["notes"] = _sentences(audit)
    return section


def _sentences(audit: Mapping[str, Any]) -> list[str]:
    found = []
    for name in ("advice", "warnings", "notes"):
        value = audit.get(name)
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, list):
            found += [text for text in value if isinstance(text, str)]
    return found
