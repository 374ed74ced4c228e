"""what workers use, and which protocol they speak.

Revision ID: 5d0c7f2a91e4
Revises: 5b0f6a1f9c3e
"""

import sqlalchemy as sa
from alembic import op

revision = "5d0c7f2a91e4"
down_revision = "5b0f6a1f9c3e"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("workers", schema=None) as batch_op:
        batch_op.add_column(sa.Column("protocol", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("usage", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("workers", schema=None) as batch_op:
        batch_op.drop_column("usage")
        batch_op.drop_column("protocol")
