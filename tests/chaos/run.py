# SPDX-License-Identifier: Apache-2.0
"""The two long runs: `storm` is chaos from end to end, `soak` a long calm after a storm."""

import collections
import contextlib
import itertools
import time

from lib.settings import BUILD

from chaos.crowd import Crowd, clients
from chaos.oracle import judge
from chaos.soak import Course, sample
from chaos.storm import Storm, rest, settle
from chaos.world import World

SAMPLES_MIN = 24  # of a calm


@contextlib.contextmanager
def world_of(seed, sections=None):
    """A world whose folders stay when something is wrong with it."""
    world = World(seed, sections)
    try:
        with world:
            yield world
    except BaseException:
        print(f"seed {seed} failed; the books are in {world.folder}, "
              f"the store and the log in {world.daemon.folder}", flush=True)
        raise
    world.dispose()


def blow(world, people, deadline, kinds=None, **options):
    """Rounds of chaos until it is time."""
    chaos = Storm(world, people, **options)
    while time.monotonic() < deadline:
        for action in chaos.round(kinds):
            if time.monotonic() < deadline:
                action()
                rest(world, people, world.random.uniform(0, 1))
    return collections.Counter(chaos.log)


def tell(**facts):
    for name, value in facts.items():
        said = ", ".join(f"{key} {n}" for key, n in sorted(value.items()))
        print(f"{name}: {said}", flush=True)


def storm(seed, seconds, rate):
    with world_of(seed) as world:
        with Crowd(clients(world, seed), rate) as people:
            actions = blow(world, people, time.monotonic() + seconds)
            settle(world, people)
        tell(actions=actions, found=judge(world))
    print("every promise was kept")
    return 0


def calm(world, people, deadline):
    """Steady load without restarts; now and then something small goes wrong. Returns the course."""
    chaos = Storm(world, people, levels=("notice", "warning"))
    interval = min(10, (deadline - time.monotonic()) / SAMPLES_MIN)
    trouble = itertools.chain.from_iterable(
        chaos.round(Storm.WITHOUT_RESTART) for _ in itertools.count())
    world.ledger.take_latencies()
    samples = []
    while time.monotonic() < deadline:
        if len(samples) % 6 == 5:
            next(trouble)()
        rest(world, people, interval)
        samples.append(sample(world))
    return Course(samples)


def soak(seed, seconds, rate):
    start = time.monotonic()
    # long enough for copies to come, short enough that many generations of bodies pass
    retention = max(5, min(60, int(seconds / 10)))
    with world_of(seed, {"store": {"retention": f"{retention}s"},
                         "log": {"level": "notice"}}) as world:
        with Crowd(clients(world, seed), rate) as people:
            # no new handler: it would not get what retention has erased
            actions = blow(world, people, start + seconds / 10, Storm.kinds(),
                           levels=("notice", "warning"))
            world.mend()
            world.handlers.set_mood("odd")
            # a start believes the clock, which has jumped; retention would wait for a day
            world.daemon.restart()
            course = calm(world, people, start + seconds)
            settle(world, people)
        complaints = list(course.complaints())
        course.save(BUILD / "soak.json", seed=seed, seconds=seconds, rate=rate,
                    complaints=complaints)
        print(course.table(), flush=True)
        tell(storm=actions, found=judge(world, forgets=True))
    print("\n".join(complaints) or "every promise was kept, and nothing has grown")
    return 1 if complaints else 0
