"""Pages hear of workers that come, take no work, and fall silent; what only goes on is no news."""

from dispatcher.arbiter import LOOK_SECONDS
from jobs.updates import UpdateReader


def test_pages_are_told_of_workers_that_come_fill_up_and_fall_silent(
    start_passes, scripted_worker, web_settings
):
    passes = start_passes()
    passes.all_read()
    updates = UpdateReader(web_settings.redis_url, block_seconds=0.1)
    told = updates.last_id()

    def hears_a_reset() -> bool:
        nonlocal told
        entries = updates.read(told)
        told = entries[-1].id if entries else told
        return any(entry.update is None for entry in entries)

    worker = scripted_worker("worker-1")
    for slots in (0, 1, 0, 1):  # it loads, it can work, it takes no work, and is back
        worker.beat(slots=slots)
        passes.until(hears_a_reset)
        worker.beat(slots=slots)
        passes.spend(LOOK_SECONDS + 0.1)
        assert not hears_a_reset()

    passes.silence()
    passes.until(hears_a_reset, what="for the end of its lease")
