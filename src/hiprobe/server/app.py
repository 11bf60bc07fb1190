"""The application: the API under ``/api/v1``, the pages at ``/``, and before both of them who may come in."""

from __future__ import annotations

from fastapi import FastAPI

from hiprobe.server.access import Access, Guard
from hiprobe.server.api import add_api
from hiprobe.server.pages import add_pages
from hiprobe.server.service import Service
from hiprobe.version import __version__


def create_app(service: Service, access: Access | None = None) -> FastAPI:
    """Make the application of an open project.

    Parameters
    ----------
    service : Service
        See :func:`hiprobe.server.service.open_service`.
    access : Access, optional
        Who may come in; by default whoever is on this machine.
    """
    # The documentation pages of FastAPI load scripts from elsewhere: only the OpenAPI description is served.
    app = FastAPI(title="HiProbe", version=__version__, openapi_url="/api/openapi.json", docs_url=None, redoc_url=None)
    app.add_middleware(Guard, access=access or Access(), max_upload=service.settings.max_upload)
    add_api(app, service)
    add_pages(app, service)
    return app
