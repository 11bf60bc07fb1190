"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "videos",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("uploaded", sa.Boolean(), nullable=False),
        sa.Column("plays_as", sa.String(20), nullable=True),
        sa.Column("image_fps", sa.Float(), nullable=True),
        sa.Column("duration", sa.Float(), nullable=False),
        sa.Column("fps", sa.Float(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("added", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_videos"),
        sa.UniqueConstraint("path", name="uq_videos_path"),
    )
    op.create_table(
        "probes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("base_id", sa.Integer(), nullable=True),
        sa.Column("before_id", sa.Integer(), nullable=True),
        sa.Column("chosen", sa.Integer(), nullable=False),
        sa.Column("auc_before", sa.Float(), nullable=True),
        sa.Column("auc_after", sa.Float(), nullable=True),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("created", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_probes"),
        sa.UniqueConstraint("path", name="uq_probes_path"),
        sa.ForeignKeyConstraint(["base_id"], ["probes.id"], name="fk_probes_base_id"),
        sa.ForeignKeyConstraint(["before_id"], ["probes.id"], name="fk_probes_before_id"),
    )
    op.create_index("uq_probes_name_version", "probes", ["name", "version"], unique=True)
    op.create_table(
        "jobs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("video_id", sa.Integer(), nullable=False),
        sa.Column("probe_id", sa.Integer(), nullable=False),
        sa.Column("explain", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("created", sa.String(40), nullable=False),
        sa.Column("started", sa.String(40), nullable=True),
        sa.Column("finished", sa.String(40), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.ForeignKeyConstraint(["video_id"], ["videos.id"], name="fk_jobs_video_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["probe_id"], ["probes.id"], name="fk_jobs_probe_id"),
    )
    op.create_index("ix_jobs_video_id", "jobs", ["video_id"])
    op.create_index("ix_jobs_state", "jobs", ["state"])
    op.create_index(
        "uq_jobs_active",
        "jobs",
        ["video_id", "probe_id"],
        unique=True,
        sqlite_where=sa.text("state IN ('waiting', 'running')"),
    )
    op.create_table(
        "results",
        sa.Column("video_id", sa.Integer(), nullable=False),
        sa.Column("probe_id", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("n_events", sa.Integer(), nullable=False),
        sa.Column("peak", sa.Float(), nullable=True),
        sa.Column("created", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("video_id", "probe_id", name="pk_results"),
        sa.ForeignKeyConstraint(["video_id"], ["videos.id"], name="fk_results_video_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["probe_id"], ["probes.id"], name="fk_results_probe_id"),
    )
    op.create_table(
        "labels",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("video_id", sa.Integer(), nullable=False),
        sa.Column("start", sa.Float(), nullable=False),
        sa.Column("end", sa.Float(), nullable=False),
        sa.Column("verdict", sa.String(12), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.String(12), nullable=False),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.Column("created", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_labels"),
        sa.ForeignKeyConstraint(["video_id"], ["videos.id"], name="fk_labels_video_id", ondelete="CASCADE"),
    )
    op.create_index("ix_labels_video_id", "labels", ["video_id"])
    op.create_table(
        "calibration",
        sa.Column("probe_id", sa.Integer(), nullable=False),
        sa.Column("label_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("probe_id", "label_id", name="pk_calibration"),
        sa.ForeignKeyConstraint(["probe_id"], ["probes.id"], name="fk_calibration_probe_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["label_id"], ["labels.id"], name="fk_calibration_label_id", ondelete="CASCADE"),
    )
