"""The review page and the HTTP API: what is detected is looked at, judged, and learned from.

::

    from hiprobe.server.app import create_app
    from hiprobe.server.service import open_service

    with open_service(Settings(Path("yard")), backbone) as service:     # one process per project folder
        app = create_app(service, Access())                              # FastAPI

``tables`` and ``database`` keep the state, ``library``, ``jobs``, ``labels``, ``probes``, ``refits`` and ``exports``
are the verbs, ``service`` holds them together, and ``api`` and ``pages`` are two faces of it.
"""
