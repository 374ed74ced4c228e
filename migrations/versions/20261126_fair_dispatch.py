"""fair dispatch: pauses, drains, usage of the submitters, timings, estimates.

Revision ID: 3c1f5a7e9b24
Revises: 5d0c7f2a91e4
"""

import sqlalchemy as sa
from alembic import op

revision = "3c1f5a7e9b24"
down_revision = "5d0c7f2a91e4"
branch_labels = None
depends_on = None

HAS_NOT_ENDED = sa.text("finished_at IS NULL")
SHARD_INDEXES = {
    "sent_to": sa.text("finished_at IS NULL AND sent_to IS NOT NULL"),
    "holder": sa.text("finished_at IS NULL AND holder IS NOT NULL"),
}


def upgrade() -> None:
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.create_index(
            "ix_jobs_queue",
            ["priority", "submitter", "created_at", "id", "kind"],
            unique=False,
            sqlite_where=HAS_NOT_ENDED,
            postgresql_where=HAS_NOT_ENDED,
        )
    with op.batch_alter_table("shards", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("hand_backs", sa.Integer(), server_default="0", nullable=False)
        )
        batch_op.add_column(sa.Column("not_before", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("returned_by", sa.String(length=128), nullable=True))
        batch_op.drop_index("ix_shards_status_sent_to")
        batch_op.create_index("ix_shards_of_job", ["job_id", "status", "index"], unique=False)
        for column, where in SHARD_INDEXES.items():
            name = "ix_shards_sent" if column == "sent_to" else "ix_shards_held"
            batch_op.create_index(
                name, [column], unique=False, sqlite_where=where, postgresql_where=where
            )
    with op.batch_alter_table("workers", schema=None) as batch_op:
        batch_op.add_column(sa.Column("drained_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("drained_by", sa.String(length=64), nullable=True))
    op.create_table(
        "pauses",
        sa.Column("scope", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("paused_by", sa.String(length=64), nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_pauses")),
    )
    op.create_table(
        "usages",
        sa.Column("submitter", sa.String(length=64), nullable=False),
        sa.Column("device_seconds", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("served_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("submitter", name=op.f("pk_usages")),
    )
    op.create_table(
        "timings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("device", sa.String(length=100), nullable=False),
        sa.Column("total", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("unit", sa.String(length=16), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_timings")),
    )
    with op.batch_alter_table("timings", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_timings_kind_device_id"), ["kind", "device", "id"], unique=False
        )
    op.create_table(
        "estimates",
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("start_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("start_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("judged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("start_came_true", sa.Boolean(), nullable=True),
        sa.Column("end_came_true", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_estimates_job_id_jobs"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_estimates")),
    )
    with op.batch_alter_table("estimates", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_estimates_judged_at"), ["judged_at"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("estimates", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_estimates_judged_at"))
    op.drop_table("estimates")
    with op.batch_alter_table("timings", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_timings_kind_device_id"))
    op.drop_table("timings")
    op.drop_table("usages")
    op.drop_table("pauses")
    with op.batch_alter_table("workers", schema=None) as batch_op:
        batch_op.drop_column("drained_by")
        batch_op.drop_column("drained_at")
    with op.batch_alter_table("shards", schema=None) as batch_op:
        for name in ("ix_shards_held", "ix_shards_sent", "ix_shards_of_job"):
            batch_op.drop_index(name)
        batch_op.create_index("ix_shards_status_sent_to", ["status", "sent_to"], unique=False)
        batch_op.drop_column("returned_by")
        batch_op.drop_column("not_before")
        batch_op.drop_column("hand_backs")
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_index("ix_jobs_queue")
