"""How a version of a probe was made: until now, all were refits."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("probes", sa.Column("made", sa.String(12), nullable=False, server_default="given"))
    op.execute("UPDATE probes SET made = 'refit' WHERE base_id IS NOT NULL")
