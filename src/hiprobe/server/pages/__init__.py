"""The pages that people see, in NiceGUI."""

from __future__ import annotations

from fastapi import FastAPI

from hiprobe.server.service import Service


def add_pages(app: FastAPI, service: Service) -> None:
    """Mount the pages on the application, at ``/``."""
