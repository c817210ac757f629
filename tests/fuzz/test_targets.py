"""The fuzzer's targets without the fuzzer: every seed and a handful of bytes keep every promise."""

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from support.fuzzing.targets import TARGETS

EXAMPLES = {"world": 30, "participant": 60, "aggregator": 60, "generator": 60}


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_every_seed_keeps_the_promises(name: str) -> None:
    target = TARGETS[name]
    inputs = target.seeds()
    assert inputs
    for data in inputs:
        target.check(data)


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_drawn_bytes_keep_the_promises(name: str) -> None:
    @settings(max_examples=EXAMPLES.get(name, 300), deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.binary(max_size=80))
    def check(data: bytes) -> None:
        TARGETS[name].check(data)

    check()
