"""The tables of a project. Their history is in ``migrations``; a test holds the two against each other."""

from __future__ import annotations

from sqlalchemy import Float, ForeignKey, Index, LargeBinary, MetaData, String, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from hiprobe.server.records import JobState, LabelSource, Made, ProbeState, Verdict


class Base(DeclarativeBase):
    """What all tables share: constraints have names, so that migrations can change them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class VideoRow(Base):
    """A video of the library.

    ``path`` is relative to the project's folder where it can be; ``plays_as`` is the media type as which browsers play
    it; ``image_fps`` is set for folders of images. Times are ISO 8601 in UTC.
    """

    __tablename__ = "videos"

    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    uploaded: Mapped[bool]
    plays_as: Mapped[str | None] = mapped_column(String(20))
    image_fps: Mapped[float | None] = mapped_column(Float)
    duration: Mapped[float] = mapped_column(Float)
    fps: Mapped[float] = mapped_column(Float)
    width: Mapped[int]
    height: Mapped[int]
    added: Mapped[str] = mapped_column(String(40))


class ProbeRow(Base):
    """A probe file that the project knows. ``chosen`` is the number of the last choice: the highest is current."""

    __tablename__ = "probes"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    version: Mapped[int]
    path: Mapped[str] = mapped_column(Text, unique=True)
    state: Mapped[ProbeState] = mapped_column(String(12))
    base_id: Mapped[int | None] = mapped_column(ForeignKey("probes.id"))
    before_id: Mapped[int | None] = mapped_column(ForeignKey("probes.id"))
    chosen: Mapped[int] = mapped_column(default=0)
    auc_before: Mapped[float | None] = mapped_column(Float)
    auc_after: Mapped[float | None] = mapped_column(Float)
    notes: Mapped[str] = mapped_column(Text, default="")
    created: Mapped[str] = mapped_column(String(40))
    made: Mapped[Made] = mapped_column(String(12), server_default="given")

    __table_args__ = (Index("uq_probes_name_version", "name", "version", unique=True),)


class JobRow(Base):
    """A detection that was asked for. At most one of a video and probe waits or runs at a time."""

    __tablename__ = "jobs"

    id: Mapped[int] = mapped_column(primary_key=True)
    video_id: Mapped[int] = mapped_column(ForeignKey("videos.id", ondelete="CASCADE"), index=True)
    probe_id: Mapped[int] = mapped_column(ForeignKey("probes.id"))
    explain: Mapped[bool]
    state: Mapped[JobState] = mapped_column(String(12), index=True)
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    error: Mapped[str] = mapped_column(Text, default="")
    created: Mapped[str] = mapped_column(String(40))
    started: Mapped[str | None] = mapped_column(String(40))
    finished: Mapped[str | None] = mapped_column(String(40))

    __table_args__ = (
        Index(
            "uq_jobs_active",
            "video_id",
            "probe_id",
            unique=True,
            sqlite_where=text("state IN ('waiting', 'running')"),
        ),
    )


class ResultRow(Base):
    """What a probe found in a video: the JSON of the report sink, its anomaly maps, and what lists show of it."""

    __tablename__ = "results"

    video_id: Mapped[int] = mapped_column(ForeignKey("videos.id", ondelete="CASCADE"), primary_key=True)
    probe_id: Mapped[int] = mapped_column(ForeignKey("probes.id"), primary_key=True)
    body: Mapped[str] = mapped_column(Text)
    n_events: Mapped[int]
    peak: Mapped[float | None] = mapped_column(Float)
    created: Mapped[str] = mapped_column(String(40))
    anomaly_map: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)


class LabelRow(Base):
    """What a person said of an interval, in seconds. Of labels that overlap, the latest counts."""

    __tablename__ = "labels"

    id: Mapped[int] = mapped_column(primary_key=True)
    video_id: Mapped[int] = mapped_column(ForeignKey("videos.id", ondelete="CASCADE"), index=True)
    start: Mapped[float] = mapped_column(Float)
    end: Mapped[float] = mapped_column(Float)
    verdict: Mapped[Verdict] = mapped_column(String(12))
    kind: Mapped[str] = mapped_column(Text)
    source: Mapped[LabelSource] = mapped_column(String(12))
    withdrawn: Mapped[bool] = mapped_column(default=False)
    created: Mapped[str] = mapped_column(String(40))


class CalibrationRow(Base):
    """A label that a refitted probe was fitted with."""

    __tablename__ = "calibration"

    probe_id: Mapped[int] = mapped_column(ForeignKey("probes.id", ondelete="CASCADE"), primary_key=True)
    label_id: Mapped[int] = mapped_column(ForeignKey("labels.id", ondelete="CASCADE"), primary_key=True)
