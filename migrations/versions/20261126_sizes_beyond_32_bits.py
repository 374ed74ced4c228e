"""sizes beyond 32 bits.

Revision ID: 5b0f6a1f9c3e
Revises: 9f2e89e14bd2
"""

import sqlalchemy as sa
from alembic import op

revision = "5b0f6a1f9c3e"
down_revision = "5f0c1d7a9e24"
branch_labels = None
depends_on = None

COLUMNS = [
    ("artifacts", "size_bytes"),
    ("checkpoints", "size_bytes"),
    ("datasets", "size_bytes"),
    ("uploads", "size_bytes"),
    ("shards", "preview_version"),
]


def upgrade() -> None:
    change(sa.BigInteger(), sa.Integer())


def downgrade() -> None:
    change(sa.Integer(), sa.BigInteger())


def change(new: sa.Integer, old: sa.Integer) -> None:
    if op.get_bind().dialect.name == "sqlite":
        return  # its integers have 64 bits
    for table, column in COLUMNS:
        op.alter_column(table, column, type_=new, existing_type=old, existing_nullable=False)
