"""Every interleaving that can be thought of: each example is a story of faults, and must end well.

`--hypothesis-profile=chaos` tells many more and longer ones.
"""

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from jobs.errors import JobActiveError, JobEndedError, ValidationError
from jobs.requests import job_request_adapter
from tests.dispatcher.simulated_worker import STEPS
from tests.dispatcher.simulation import World
from tests.dispatcher.witness import ENDED, Witness

PATIENCE_SECONDS = 300  # of the fake clock: hand-backs wait for up to 60 s, one after the other
MOST_JOBS, MOST_WORKERS = 6, 4
SOME = st.integers(0, 10)
SMALL_SAMPLING = {"num_inference_steps": STEPS, "sampler": "ddim"}
TRAINING = {"width": 8, "synthetic_count": 100, "batch_size": 8, "steps": STEPS}


class Story(RuleBasedStateMachine):
    """People, workers, networks and brokers, each doing what it likes."""

    migrated: Path

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="darkroom-story-")
        self.world = World(Path(self.folder.name), self.migrated, Witness)
        for _ in range(2):
            self.world.start_worker()

    def pick(self, which, of):
        return of[which % len(of)]

    def look(self):
        self.world.witness.look()

    # People

    def submit(self, kind, params, after=()):
        request = {"kind": kind, "params": params, "after": list(after)}
        made = self.world.service.submit(job_request_adapter.validate_python(request), "ada")
        self.world.jobs.append(made.job.id)
        self.look()

    @precondition(lambda self: len(self.world.jobs) < MOST_JOBS)
    @rule(images=st.integers(1, 3))
    def submit_faces(self, images):
        self.submit("sample", SMALL_SAMPLING | {"count": images})

    @precondition(lambda self: 0 < len(self.world.jobs) < MOST_JOBS)
    @rule(parent=SOME)
    def submit_a_child(self, parent):
        try:
            self.submit("sample", SMALL_SAMPLING | {"count": 1}, [self.pick(parent, self.jobs)])
        except ValidationError:
            assert self.status(self.pick(parent, self.jobs)) in ("failed", "canceled")

    @precondition(lambda self: len(self.world.jobs) < MOST_JOBS - 1)
    @rule()
    def submit_a_training_and_faces_of_it(self):
        self.submit("train_ddpm", TRAINING)
        self.submit("sample", SMALL_SAMPLING | {"count": 1, "checkpoint": {"job": self.jobs[-1]}})

    @property
    def jobs(self):
        return self.world.jobs

    def status(self, job_id):
        return self.world.witness.jobs[job_id]["status"]

    @precondition(lambda self: self.jobs)
    @rule(which=SOME)
    def cancel(self, which):
        job = self.pick(which, self.jobs)
        try:
            self.world.service.cancel(job)
            self.look()
            assert self.status(job) == "canceled"
        except JobEndedError:
            assert self.status(job) in ENDED

    @precondition(lambda self: 0 < len(self.jobs) < MOST_JOBS)
    @rule(which=SOME)
    def retry(self, which):
        job = self.pick(which, self.jobs)
        try:
            self.jobs.append(self.world.service.retry(job, "ada").job.id)
            self.look()
        except JobActiveError:
            assert self.status(job) not in ENDED
        except ValidationError:  # what it waited for has to be retried first
            assert self.status(job) in ENDED

    # Workers

    @precondition(lambda self: len(self.world.workers) < MOST_WORKERS)
    @rule()
    def start_worker(self):
        self.world.start_worker()

    @precondition(lambda self: self.world.workers)
    @rule(which=SOME)
    def kill_worker(self, which):
        self.world.kill(self.pick(which, self.world.workers))

    @precondition(lambda self: self.world.workers)
    @rule(which=SOME)
    def terminate_worker(self, which):
        self.pick(which, self.world.workers).leave()

    @precondition(lambda self: self.busy)
    @rule(which=SOME, how=st.sampled_from(["fail", "lose_engine", "finish", "work"]))
    def engine_does(self, which, how):
        getattr(self.pick(which, self.busy), how)()

    @precondition(lambda self: self.busy)
    @rule(which=SOME)
    def finish_and_die_unheard(self, which):
        self.pick(which, self.busy).finish(is_heard=False)

    @property
    def busy(self):
        return [worker for worker in self.world.workers if worker.order is not None]

    @precondition(lambda self: self.world.workers)
    @rule(which=SOME, is_last_lost=st.booleans())
    def take_and_obey(self, which, is_last_lost):
        worker = self.pick(which, self.world.workers)
        worker.take()
        worker.obey(is_last_lost=is_last_lost)

    # Networks

    @precondition(lambda self: self.world.workers)
    @rule(which=SOME, is_confirmed=st.booleans(), arrives=st.integers(0, 3))
    def speak(self, which, is_confirmed, arrives):
        worker = self.pick(which, self.world.workers)
        worker.speak(is_confirmed=is_confirmed)
        self.world.deliver(worker, arrives)

    @precondition(lambda self: self.world.workers)
    @rule(which=SOME)
    def cut_off_or_heal(self, which):
        worker = self.pick(which, self.world.workers)
        worker.is_cut_off = not worker.is_cut_off

    @precondition(lambda self: self.noisy)
    @rule(which=SOME, message=SOME, how=st.sampled_from(["lose", "double", "hasten"]))
    def disturb(self, which, message, how):
        air = self.pick(which, self.noisy)
        chosen = air.pop(message % len(air))
        if how == "double":
            air += [chosen, chosen]
        elif how == "hasten":
            air.insert(0, chosen)

    @property
    def noisy(self):
        spoken = [worker.air for worker in self.world.workers]
        return [air for air in (*spoken, self.world.road.reports) if air]

    @precondition(lambda self: any(self.world.road.queues.values()))
    @rule(which=SOME, how=st.sampled_from(["lose", "double"]))
    def disturb_a_task(self, which, how):
        queue = self.pick(which, [q for q in self.world.road.queues.values() if q])
        order = queue.pop(0)
        queue += [order, order] if how == "double" else []

    @precondition(lambda self: any(self.world.road.queues.values()))
    @rule(which=SOME)
    def spread_a_task(self, which):
        """As if it had been sent again to everybody."""
        self.spread(self.pick(which, [q for q in self.world.road.queues.values() if q])[0])

    def spread(self, order):
        for worker in self.world.workers:
            queue = self.world.road.queues.setdefault(worker.name, [])
            if order not in queue:
                queue.append(order)

    # Brokers and dispatchers

    @rule()
    def flush(self):
        self.world.road.empty()

    @rule()
    def redis_falls_or_rises(self):
        self.world.road.is_up = not self.world.road.is_up

    @rule(batch=st.sampled_from([1, 3, 500]))
    def dispatch(self, batch):
        self.world.dispatch(batch)

    @rule(after=st.integers(0, 4))
    def dispatch_and_die(self, after):
        self.world.dispatch(crash_after=after)

    @rule()
    def dispatch_in_vain(self):
        self.world.refuses_commits = True
        self.world.dispatch()
        self.world.refuses_commits = False

    @rule()
    def restart_dispatcher(self):
        self.world.start_dispatcher()

    @rule(seconds=st.sampled_from([0.5, 2, 6, 21, 70]))
    def wait(self, seconds):
        self.world.clock.now += seconds

    @rule(rounds=st.integers(1, 8), spreads=st.booleans())
    def go_on_quietly(self, rounds, spreads):
        for _ in range(rounds):
            self.quiet_round()
            for queue in [*self.world.road.queues.values()] if spreads else []:
                for order in list(queue):
                    self.spread(order)

    def quiet_round(self):
        """A second in which everybody who can does what is expected."""
        for worker in list(self.world.workers):
            worker.obey()
            worker.take()
            worker.work()
            worker.speak()
            self.world.deliver(worker)
        self.world.dispatch()
        self.world.clock.now += 1

    # The end

    def teardown(self):
        try:
            self.make_peace()
            for _ in range(PATIENCE_SECONDS):
                if all(self.status(job) in ENDED for job in self.jobs):
                    break
                self.quiet_round()
            self.look()
            assert {
                job: self.status(job) for job in self.jobs if self.status(job) not in ENDED
            } == {}
        finally:
            self.world.close()
            self.folder.cleanup()

    @property
    def open_jobs(self):
        self.look()
        found = {job: self.status(job) for job in self.jobs}
        return {job: status for job, status in found.items() if status not in ENDED}

    def make_peace(self):
        """No more faults; one healthy worker at least."""
        self.world.road.is_up = True
        self.world.workers = [each for each in self.world.workers if not each.is_leaving]
        for worker in self.world.workers:
            worker.is_cut_off = False
        if not self.world.workers:
            self.world.start_worker()
        if self.world.arbiter is None:
            self.world.start_dispatcher()
        self.look()


def test_every_story_ends_well(stocked_file):
    is_long = settings.get_current_profile_name() == "chaos"
    story = type("Story", (Story,), {"migrated": stocked_file})
    run_state_machine_as_test(
        story,
        settings=settings(
            max_examples=100 if is_long else 25,
            stateful_step_count=80 if is_long else 50,
            derandomize=not is_long,  # the same stories in every ordinary run
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
