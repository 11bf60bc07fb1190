"""Running the server, from the socket to the last request."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable

import uvicorn

from hiprobe.backbones import Backbone
from hiprobe.errors import UsageError
from hiprobe.features import FeatureStore
from hiprobe.server.access import LOOPBACK, Access
from hiprobe.server.app import create_app
from hiprobe.server.project import Settings
from hiprobe.server.service import open_service

_SHORTEST_TOKEN = 16

_GRACE = 2
"""Seconds that open requests are given when the server is stopped."""


def serve(
    settings: Settings,
    backbone: Backbone,
    store: FeatureStore,
    host: str,
    port: int,
    token: str | None,
    say: Callable[[str], None],
) -> None:
    """Serve a project until the process is interrupted.

    Parameters
    ----------
    settings, backbone, store
        See :func:`hiprobe.server.service.open_service`.
    host, port
        Where to listen; port 0 takes a free one.
    token : str, optional
        What visitors must know; made up where ``host`` is not this machine alone.
    say : callable
        Told where the server is, in a line.

    Raises
    ------
    UsageError
        If the address cannot be listened on, the token is short, or the project cannot be opened.
    """
    if token is not None and len(token) < _SHORTEST_TOKEN:
        raise UsageError(f"--token: has {len(token)} letters; give {_SHORTEST_TOKEN} or more, or leave it out.")
    if token is None and host not in LOOPBACK:
        token = secrets.token_urlsafe(24)
    with open_service(settings, backbone, store) as service, _listening(host, port) as listener:
        name = f"[{host}]" if ":" in host else host
        address = f"http://{name}:{listener.getsockname()[1]}/"
        say(f"{address}?token={token}" if token else address)
        if token:
            say("Whoever has this address sees the videos; without HTTPS in front, so does who listens on the network.")
        config = uvicorn.Config(
            create_app(service, Access(token)),
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=_GRACE,
            proxy_headers=False,
        )
        uvicorn.Server(config).run([listener])


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise UsageError(
            f"{host}:{port}: cannot be listened on ({error.strerror or error}); name another --host or --port."
        ) from error
