"""The pages that people see, in NiceGUI: one file a page. What they show and do are verbs of the service.

No text of others becomes HTML: it is set as the text or a property of an element, never as markup.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

from fastapi import FastAPI
from nicegui import ui

from hiprobe.server.pages import label_next, library, probes, refit, review
from hiprobe.server.service import Service

_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#0f766e"/>'
    '<path d="M4 20h6l4-12 5 17 3-5h6" fill="none" stroke="#fff" stroke-width="2.6" stroke-linejoin="round"/></svg>'
)


def add_pages(app: FastAPI, service: Service) -> None:
    """Mount the pages on the application, at ``/``."""
    for page in (library, review, label_next, refit, probes):
        page.add(app, service)
    carrier = _carrier()
    app.mount("/", carrier)
    own = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(application: FastAPI) -> AsyncIterator[None]:
        async with carrier.router.lifespan_context(carrier), own(application):
            yield

    app.router.lifespan_context = lifespan


@cache
def _carrier() -> FastAPI:
    """Return what serves NiceGUI's own files and its socket: NiceGUI has one application per process."""
    carrier = FastAPI(openapi_url=None)
    ui.run_with(
        carrier,
        title="HiProbe",
        favicon=_ICON,
        dark=None,  # as the system says, until somebody switches
        language="en-US",
        tailwind=False,
        reconnect_timeout=10.0,
        show_welcome_message=False,
    )
    return carrier
