"""The server: the app and its guards, and how it starts and ends."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from latentbloom.app.guards import Guard
from latentbloom.app.hosts import allowed_hosts, is_loopback
from latentbloom.app.jobs import BusyError, JobQueue, TimeUpError
from latentbloom.app.limits import Limits
from latentbloom.app.routes import (
    edit_routes,
    explore_routes,
    generate_routes,
    page_routes,
    run_routes,
)
from latentbloom.app.routes.answers import BUG, StoppedError
from latentbloom.app.served_run import UnknownRunError, open_runs
from latentbloom.errors import (
    CheckpointError,
    ConfigError,
    LatentbloomError,
    RunFolderError,
)
from latentbloom.version import __version__

_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (UnknownRunError, 404),
    (BusyError, 429),
    (TimeUpError, 503),
    (StoppedError, 503),
    (RunFolderError, 409),
    (CheckpointError, 409),
    (LatentbloomError, 422),
)


def make_app(
    runs: Sequence[Path],
    *,
    host: str = "127.0.0.1",
    auth: tuple[str, str] | None = None,
    more_hosts: Iterable[str] = (),
    limits: Limits | None = None,
    warm: bool = False,
) -> FastAPI:
    """The app for some runs.

    Arguments:
        runs: Their folders.
        host: Where it will listen; decides which names it answers to.
        auth: User and password, or None.
        more_hosts: Further names that it answers to.
        limits: How much one request may ask for.
        warm: Load the first run's model before anybody asks for it.

    Raises:
        RunFolderError: A folder is not a run.
    """
    limits = limits or Limits()
    served = open_runs(runs)
    queue = JobQueue(limits)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        queue.start()
        if warm:
            queue.submit("server", lambda _: _warm_up(next(iter(served.values()))))
        yield
        queue.stop()

    app = FastAPI(
        title="latentbloom",
        version=__version__,
        summary="Generate, explore and edit pictures with a trained run.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        separate_input_output_schemas=False,
    )
    app.state.runs, app.state.queue, app.state.limits = served, queue, limits
    for routes in (run_routes, generate_routes, explore_routes, edit_routes, page_routes):
        app.include_router(routes.router)
    app.mount("/static", StaticFiles(directory=str(files("latentbloom.app") / "static")))
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(LatentbloomError, _on_error)
    app.add_exception_handler(Exception, _on_bug)
    app.add_middleware(
        Guard,
        hosts=allowed_hosts(host, more_hosts),
        any_address=not is_loopback(host),
        auth=auth,
        limits=limits,
    )
    return app


def serve(
    app: FastAPI, *, host: str, port: int, on_start: Callable[[str], object] = lambda _: None
) -> None:
    """Run the server until it is interrupted.

    Arguments:
        app: From `make_app`.
        host: Address to listen on.
        port: Port; 0 takes a free one.
        on_start: Called with the address once the server answers.

    Raises:
        ConfigError: The address cannot be used.
    """
    import uvicorn

    sock = _listen(host, port)
    name = f"[{host}]" if ":" in host else host
    address = f"http://{name}:{sock.getsockname()[1]}/"

    class Told(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                on_start(address)

    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_graceful_shutdown=2,
        limit_concurrency=256,
    )
    try:
        Told(config).run(sockets=[sock])
    except KeyboardInterrupt:  # how a server is ended
        pass
    finally:
        sock.close()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise ConfigError(
            f"The page cannot listen on {host}, port {port}: {error.strerror or error}. Give "
            "another --port; 0 takes a free one."
        ) from None


def _warm_up(run: object) -> None:
    """Load the model and generate once, so that the first user waits for neither."""
    from latentbloom.app.served_run import ServedRun
    from latentbloom.model.generator import Model

    assert isinstance(run, ServedRun)
    try:
        model = run.autoencoder()
        if isinstance(model, Model):
            model.sample(n=1, num_steps=1)
    except LatentbloomError:
        pass  # whoever asks for it is told


async def _on_invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = [
        f"{'.'.join(str(part) for part in one['loc'] if part != 'body') or 'body'}: {one['msg']}"
        for one in error.errors()[:3]
    ]
    return _problem(422, "; ".join(found))


async def _on_http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    response = _problem(error.status_code, str(error.detail))
    response.headers.update(error.headers or {})
    return response


async def _on_error(_: Request, error: Exception) -> JSONResponse:
    status = next(code for kind, code in _STATUS if isinstance(error, kind))
    response = _problem(status, str(error))
    if status in (429, 503):
        response.headers["Retry-After"] = "2"
    return response


async def _on_bug(_: Request, error: Exception) -> JSONResponse:
    return _problem(500, BUG)


def _problem(status: int, text: str) -> JSONResponse:
    # Half of a surrogate pair, which a JSON string can hold, cannot be written as UTF-8.
    return JSONResponse({"detail": text.encode(errors="replace").decode()}, status)
