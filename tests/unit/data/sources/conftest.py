"""No test here fetches anything, unless it says how."""

from __future__ import annotations

import pytest

from latentbloom.data.sources.published import celeba, flowers102
from published_files import refuse_download


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for source in (celeba, flowers102):
        monkeypatch.setattr(source, "_download", refuse_download)
