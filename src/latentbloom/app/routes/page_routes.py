"""Pages for people: the app, the report of a run, the API's description."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from latentbloom.app.routes.answers import Run

if TYPE_CHECKING:
    from jinja2 import Template

router = APIRouter(include_in_schema=False)


@router.get("/", response_class=HTMLResponse)
def page(request: Request) -> str:
    """The app."""
    from latentbloom.version import __version__

    names = list(request.app.state.runs)
    return _template("page.html.j2").render(names=names, version=__version__)


@router.get("/docs", response_class=HTMLResponse)
def docs(request: Request) -> str:
    """What the API can do, from its OpenAPI description. Loads nothing from elsewhere."""
    from latentbloom.app.routes.api_page import operations

    described = request.app.openapi()
    return _template("docs.html.j2").render(
        api=described, groups=operations(described), base=str(request.base_url).rstrip("/")
    )


@router.get("/runs/{run}/report", response_class=HTMLResponse)
def report(run: Run) -> HTMLResponse:
    """The run's report as it is now, in a sandbox: its own script is the only one that runs."""
    from latentbloom.report.page import render

    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {_script()}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox allow-scripts"
    )
    return HTMLResponse(render(run.files()), headers={"Content-Security-Policy": policy})


@cache
def _template(name: str) -> Template:
    from jinja2 import Environment

    folder = files("latentbloom.app") / "templates"
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string((folder / name).read_text(encoding="utf-8"))


@cache
def _script() -> str:
    """The hash of the report's script, as a policy names it."""
    script = files("latentbloom.report") / "templates" / "report.js"
    digest = hashlib.sha256(script.read_text(encoding="utf-8").encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
