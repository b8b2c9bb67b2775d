"""Where the server listens, by which names it is known, and who may come."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable

from latentbloom.errors import ConfigError


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server on that host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def parse_auth(text: str | None, host: str) -> tuple[str, str] | None:
    """User and password from "user:password".

    Raises:
        ConfigError: It has another form, or there is none and others can reach the host.
    """
    if text is None:
        if not is_loopback(host):
            raise ConfigError(
                f"--host is {host}, which other machines can reach. Give --auth user:password, "
                "too, or leave --host away: the page is then for this machine only."
            )
        return None
    user, colon, password = text.partition(":")
    if not colon or not user or not password:
        raise ConfigError("--auth must be user:password, neither of them empty.")
    return user, password


def allowed_hosts(host: str, more: Iterable[str] = ()) -> frozenset[str]:
    """The names that a Host header may have.

    Arguments:
        host: Where the server listens. On a host that others can reach these are this machine's
            names, too.
        more: Further names, for example that of a reverse proxy.
    """
    names = {"localhost", "127.0.0.1", "::1", host.strip("[]").lower(), *(n.lower() for n in more)}
    if not is_loopback(host):
        own = socket.gethostname().lower()
        names |= {own, own.partition(".")[0], f"{own}.local", socket.getfqdn().lower()}
    return frozenset(names)
