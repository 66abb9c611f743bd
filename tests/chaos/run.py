# SPDX-License-Identifier: Apache-2.0
"""The two long runs: `storm` is chaos from end to end, `soak` a long calm after a storm."""

import collections
import contextlib
import time

from chaos.crowd import Crowd, clients
from chaos.oracle import judge
from chaos.storm import Storm, rest, settle
from chaos.world import World


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


def blow(world, people, deadline):
    """Rounds of chaos until it is time."""
    chaos = Storm(world, people)
    while time.monotonic() < deadline:
        for action in chaos.round():
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


def soak(seed, seconds, rate):
    raise NotImplementedError
