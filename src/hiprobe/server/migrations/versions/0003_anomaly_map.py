"""Anomaly maps under their own name."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Rename the column; what it holds stays."""
    op.alter_column("results", "heat", new_column_name="anomaly_map")
