"""`latentbloom app`: a page to play with trained runs, and an API."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from latentbloom.cli.options.numbers import whole_number
from latentbloom.errors import ConfigError

LOOPBACK = "127.0.0.1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = (
        "The page is for this machine alone unless --host says otherwise. It sends nothing "
        "anywhere. Ctrl+C ends it."
    )
    parser.add_argument(
        "runs", nargs="+", type=Path, metavar="RUN", help="run folders that `fit` made"
    )
    parser.add_argument(
        "--port", type=whole_number(0, 65535), default=7860, metavar="N", help="default: 7860"
    )
    parser.add_argument(
        "--host",
        default=LOOPBACK,
        metavar="ADDRESS",
        help=f"where to listen; others than this machine's own need --auth (default: {LOOPBACK})",
    )
    parser.add_argument("--auth", metavar="USER:PASSWORD", help="ask everybody for them")
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="another name that the page is reached by, for example that of a reverse proxy",
    )


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted; returns the exit code."""
    from rich.console import Console

    try:
        from latentbloom.app.hosts import parse_auth
        from latentbloom.app.server import make_app, serve
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"The page needs {error.name}, which is not installed: pip install 'latentbloom[app]'."
        ) from None
    auth = parse_auth(args.auth, args.host)
    app = make_app(args.runs, host=args.host, auth=auth, more_hosts=args.allow_host, warm=True)
    console = Console()

    def say(address: str) -> None:
        text = f"Open {address} in a browser. Ctrl+C ends it."
        console.print(text, markup=False, emoji=False, highlight=False, soft_wrap=True)

    serve(app, host=args.host, port=args.port, on_start=say)
    if app.state.queue.alive:
        # Python may crash at its end while a thread is inside PyTorch; nothing is left to be done.
        sys.stdout.flush()
        os._exit(0)
    return 0
