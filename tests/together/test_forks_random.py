"""Servers that fork at random, with children that do what comes to mind."""

import os
import random

import pytest

from helpers.forks import WORLDS, check
from helpers.forks_world import ACTIONS

# Others by hand; see tools/fuzz.py.
SEED = int(os.environ.get("TORNADO4_SEED", "1"))


def actions_of(random_, count):
    return random_.choices([*ACTIONS, "t", "."], k=count)


def test_a_few_random_ways():
    random_ = random.Random(SEED)
    check(*random_.choice(WORLDS), SEED, actions_of(random_, 10))


@pytest.mark.slow
@pytest.mark.parametrize(("face", "kind"), WORLDS)
def test_random_ways(face, kind):
    random_ = random.Random(f"{face} {kind} {SEED}")
    check(face, kind, SEED + 1, actions_of(random_, 20))
