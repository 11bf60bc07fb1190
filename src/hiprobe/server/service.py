"""The verbs of the server, held together: what the API and the pages call, from any thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from hiprobe.backbones import Backbone, cache_folder
from hiprobe.features import FeatureStore
from hiprobe.server.database import Database
from hiprobe.server.exports import Exports
from hiprobe.server.jobs import Jobs
from hiprobe.server.labels import Labels
from hiprobe.server.library import Library
from hiprobe.server.playback import Playback
from hiprobe.server.probes import Probes
from hiprobe.server.project import Settings, locked
from hiprobe.server.refits import Refits
from hiprobe.server.results import Results
from hiprobe.server.safety import AllowedFolders
from hiprobe.server.thresholds import Thresholds
from hiprobe.server.uploads import Uploads


@dataclass(frozen=True)
class Service:
    """The verbs, by what they are about."""

    settings: Settings
    backbone: Backbone
    library: Library
    uploads: Uploads
    playback: Playback
    jobs: Jobs
    results: Results
    labels: Labels
    probes: Probes
    refits: Refits
    thresholds: Thresholds
    exports: Exports


@contextmanager
def open_service(settings: Settings, backbone: Backbone, store: FeatureStore | None = None) -> Iterator[Service]:
    """Open a project and run its jobs until the block ends.

    Parameters
    ----------
    settings : Settings
        The folder and the limits.
    backbone : Backbone
        It is loaded when the first job runs.
    store : FeatureStore, optional
        Where hidden states are kept; by default where the command line keeps them.

    Raises
    ------
    UsageError
        If the folder is none, another server holds it, or its database cannot be read.
    OutputError
        If the folder cannot be written.
    """
    store = store or FeatureStore(cache_folder() / "features")
    with locked(settings):
        database = Database(settings.state / "hiprobe.db")
        settings.uploads.mkdir(exist_ok=True)
        allowed = AllowedFolders([settings.folder, *settings.allow])
        probes = Probes(database, settings.folder, backbone)
        library = Library(database, allowed)
        results = Results(database)
        labels = Labels(database, results)
        refits = Refits(database, library, probes, backbone, store, settings)
        jobs = Jobs(database, library, probes, backbone, store, settings)
        playback = Playback(library, settings.state / "playable")
        probes.find_given()
        jobs.start()
        try:
            yield Service(
                settings=settings,
                backbone=backbone,
                library=library,
                uploads=Uploads(settings, library),
                playback=playback,
                jobs=jobs,
                results=results,
                labels=labels,
                probes=probes,
                refits=refits,
                thresholds=Thresholds(library, probes, results, labels, refits),
                exports=Exports(library, results),
            )
        finally:
            jobs.close()
            playback.close()
            database.close()
