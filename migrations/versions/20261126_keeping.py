"""what hinders a shard, which jobs are tidied, and facts beside jobs.

Revision ID: 5f0c1d7a9e24
Revises: 9f2e89e14bd2
"""

import sqlalchemy as sa
from alembic import op

revision = "5f0c1d7a9e24"
down_revision = "9f2e89e14bd2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "facts",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_facts")),
    )
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("is_tidied", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        batch_op.create_index(
            batch_op.f("ix_jobs_is_tidied_finished_at"), ["is_tidied", "finished_at"]
        )
    with op.batch_alter_table("shards", schema=None) as batch_op:
        batch_op.add_column(sa.Column("notice", sa.String(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("shards", schema=None) as batch_op:
        batch_op.drop_column("notice")
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_jobs_is_tidied_finished_at"))
        batch_op.drop_column("is_tidied")
    op.drop_table("facts")
