"""The fuzzer's targets without the fuzzer: every seed and a handful of bytes keep every promise."""

import tracemalloc
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from headwater.secagg.wire.envelope import MessageType
from headwater.secagg.wire.messages import Blocks, Complaint
from support.fuzzing import parsers, seeds
from support.fuzzing.choices import Choices
from support.fuzzing.damage import damage_bytes
from support.fuzzing.forging import read_message
from support.fuzzing.targets import TARGETS
from support.fuzzing.witness import KINDS
from support.network import kind_of

EXAMPLES = {"world": 20, "participant": 50, "aggregator": 50, "generator": 60, "contributions": 10, "receipts": 100}


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


def test_every_type_of_message_is_read_and_fuzzed() -> None:
    assert set(KINDS) == set(MessageType)
    assert {kind_of(message) for _, _, message in seeds.traffic()} == set(seeds.SENT)


def test_complaints_inquiries_and_answers_are_real_ones() -> None:
    found = {kind_of(message): message for _, _, message in reversed(seeds.traffic())}
    blocks = read_message(found[MessageType.BLOCKS])
    assert isinstance(blocks, Blocks)
    assert blocks.masks
    complaint = read_message(found[MessageType.COMPLAINT])
    assert isinstance(complaint, Complaint)
    assert complaint.dealer == "org-1"


def test_the_runner_names_every_target() -> None:
    text = (Path(__file__).parents[2] / "tools" / "fuzz" / "run.py").read_text()
    assert all(f'"{name}"' in text for name in TARGETS)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(place=st.integers(0, 10_000), data=st.binary(min_size=4, max_size=40))
def test_a_message_costs_memory_in_proportion_to_its_bytes(place: int, data: bytes) -> None:
    pool = [message for _, _, message in seeds.traffic()]
    spoilt = damage_bytes(pool[place % len(pool)], Choices(data), pool)
    tracemalloc.start()
    try:
        parsers.check_message(spoilt)
        assert tracemalloc.get_traced_memory()[1] < 50 * len(spoilt) + 2**17
    finally:
        tracemalloc.stop()
