"""Every address with what its description allows, and with what it does not: never a fault."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from latentbloom.app.limits import Limits
from served import Served, serving

ROOT = Path(__file__).parents[3]
EXAMPLES = 5
AS_DESCRIBED = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
"""That a body which fits its description is accepted is not among them: it may name a condition
that this run does not have."""


@pytest.fixture(scope="module")
def small(served_run: Path) -> Iterator[Served]:
    """A server that soon refuses, so that the requests are quick."""
    with serving(served_run, limits=Limits(pictures=4, steps=6)) as found:
        yield found


def operations(served: Served) -> list[schemathesis.APIOperation]:
    schema = schemathesis.openapi.from_url(f"{served.address}/openapi.json")
    found = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    assert len(found) >= 15
    return found


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_no_request_breaks_the_server(small: Served, mode: GenerationMode) -> None:
    tried = Counter[str]()
    for operation in operations(small):
        strategy = operation.as_strategy(generation_mode=mode)

        @given(case=strategy, real=st.sampled_from([True, True, True, False]))
        @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
        def try_it(case: schemathesis.Case, real: bool) -> None:
            if real and "run" in case.path_parameters:
                case.path_parameters["run"] = small.run.name
            response = case.call(base_url=small.address, timeout=60)
            case.validate_response(response, checks=AS_DESCRIBED)
            tried[str(response.status_code)] += 1

        try:
            try_it()
        except Unsatisfiable:  # an address without fields cannot be asked wrongly
            continue
    assert sum(tried.values()) >= 50
    assert not any(code.startswith("5") for code in tried)
    assert tried["200" if mode is GenerationMode.POSITIVE else "422"] > 10


def test_the_description_names_every_address(served: Served) -> None:
    described = httpx2.get(f"{served.address}/openapi.json").json()
    page = unquote(httpx2.get(f"{served.address}/docs").text)
    assert len(described["paths"]) >= 15
    for path, methods in described["paths"].items():
        for method in methods:
            assert f"{method.upper()} {path}" in page


def test_the_how_to_page_works(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """The Python block of the page as it stands, against this server."""
    text = (ROOT / "docs" / "how-to" / "app.md").read_text(encoding="utf-8")
    block = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert block is not None
    monkeypatch.chdir(tmp_path)
    code = block[1].replace("http://127.0.0.1:7860", served.address)
    exec(compile(code, "app.md", "exec"), {})
    assert (tmp_path / "pictures.png").read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr().out
    assert "coloured ['colour', 'height']" in printed
    assert printed.rstrip().endswith("event: done")


def test_the_curl_lines_of_the_how_to_page_name_real_addresses(served: Served) -> None:
    text = (ROOT / "docs" / "how-to" / "app.md").read_text(encoding="utf-8")
    described = httpx2.get(f"{served.address}/openapi.json").json()["paths"]
    found = re.findall(r"http://127.0.0.1:7860(/api\S*)", text)
    assert len(found) >= 5
    assert {path.replace("/mine", "/{run}") for path in found} <= set(described)
