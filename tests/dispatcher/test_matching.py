"""Which slot takes which shard, decided without a database."""

from datetime import UTC, datetime

import pytest

from dispatcher.matching import PATIENCE_SECONDS, Matcher, Slot
from jobs.queue_order import AHEAD_SECONDS, WaitingShard

BEGAN = datetime(2026, 11, 26, tzinfo=UTC)


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def shard(name, submitter="ada", kind="sample", priority=0, share=0.0):
    return WaitingShard(
        shard_id=name,
        index=0,
        kind=kind,
        attempt=0,
        total=1,
        images=1,
        job_id=name,
        job_kind="sample" if kind == "assemble" else kind,
        created_at=BEGAN,
        priority=priority,
        submitter=submitter,
        share=share,
    )


def slot(worker, *warm, kinds=None):
    return Slot(worker, None if kinds is None else frozenset(kinds), frozenset(warm))


def needs(**networks):
    return lambda shard: frozenset(networks.get(shard.shard_id, ""))


def pairs(matches):
    return [(shard.shard_id, slot.worker) for shard, slot in matches]


def test_a_shard_goes_to_the_worker_that_has_its_checkpoint_loaded():
    front = [shard("one"), shard("two", "bob")]
    slots = [slot("cold"), slot("x", "X"), slot("y", "Y")]

    assert pairs(Matcher().match(front, slots, needs(one="Y", two="X"))) == [
        ("one", "y"),
        ("two", "x"),
    ]


def test_a_shard_never_waits_for_a_warm_worker_while_another_is_free():
    assert pairs(Matcher().match([shard("one")], [slot("cold")], needs(one="X"))) == [
        ("one", "cold")
    ]


def test_a_worker_takes_the_equal_shard_that_it_has_loaded_but_passes_nobody_over_for_long(clock):
    matcher = Matcher(clock)
    front = [shard("first"), shard("warm", "bob"), shard("next", "cyd")]
    networks = needs(first="X", warm="Y", next="Y")

    assert pairs(matcher.match(front, [slot("w", "Y")], networks)) == [("warm", "w")]
    clock.now = PATIENCE_SECONDS - 0.1
    front = [shard("first"), shard("next", "cyd"), shard("more", "bob")]
    assert pairs(matcher.match(front, [slot("w", "Y")], networks)) == [("next", "w")]
    clock.now = PATIENCE_SECONDS
    front = [shard("first"), shard("more", "bob")]
    networks = needs(first="X", more="Y")
    assert pairs(matcher.match(front, [slot("w", "Y")], networks)) == [("first", "w")]


@pytest.mark.parametrize(
    "behind",
    [
        shard("warm", "bob", priority=-1),
        shard("warm", "bob", share=AHEAD_SECONDS),
        shard("warm", "ada"),
    ],
    ids=["lower priority", "larger share", "same submitter"],
)
def test_warmth_decides_only_between_equals(behind):
    matches = Matcher().match(
        [shard("first"), behind], [slot("w", "Y")], needs(first="X", warm="Y")
    )
    assert pairs(matches) == [("first", "w")]


def test_a_worker_gets_only_its_kinds_and_what_assembles_them():
    front = [shard("train", kind="train_ddpm"), shard("sample"), shard("sheet", kind="assemble")]
    slots = [slot("a", kinds=["sample"]), slot("b", kinds=["sample"])]

    assert pairs(Matcher().match(front, slots, needs())) == [("sample", "a"), ("sheet", "b")]
