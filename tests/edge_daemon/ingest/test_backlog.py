"""What waits, in which order, and what is left out when too much does."""

import itertools
import threading
from collections import Counter, defaultdict

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edge_daemon.clock import ManualClock
from edge_daemon.core.drop_policy import DropPolicy
from edge_daemon.core.wire import parse
from edge_daemon.errors import FrameError, RejectReason
from edge_daemon.ingest.backlog import MOST_ENTRIES, Backlog
from edge_daemon.outcomes import Message
from tests.conftest import PATIENCE_S

PAYLOAD = bytes(1000)
MAX_AGE_S = 5.0
SECOND_NS = 10**9


def message(seq: int, camera: bytes = b"top", *, arrived_ns: int = 0) -> Message:
    return Message([camera, str(seq).encode(), PAYLOAD], 0, arrived_monotonic_ns=arrived_ns)


def backlog(
    policy: DropPolicy, *, frames: int = 2, max_bytes: int = 10**6, clock: ManualClock | None = None
) -> Backlog:
    clock = clock or ManualClock(0, 0)
    return Backlog(policy, frames=frames, max_bytes=max_bytes, max_age_s=MAX_AGE_S, clock=clock)


def take_all(waiting: Backlog) -> list[tuple[int, str | None]]:
    """Every number that waits, with why it won't be looked at."""
    taken = []
    while (one := waiting.take(0)) is not None:
        reason = one.left_out.reason.value if one.left_out else None
        assert bytes(one.parts[2]) == (PAYLOAD if reason is None else b"")
        taken.append((int(bytes(one.parts[1])), reason))
    return taken


@pytest.mark.parametrize(
    ("policy", "accepted", "taken"),
    [
        (DropPolicy.BLOCK, [True, True, False, False], [(0, None), (1, None)]),
        (DropPolicy.DEADLINE, [True, True, False, False], [(0, None), (1, None)]),
        (
            DropPolicy.DROP_OLDEST,
            [True] * 4,
            [(0, "dropped"), (1, "dropped"), (2, None), (3, None)],
        ),
        (
            DropPolicy.DROP_NEWEST,
            [True] * 4,
            [(0, None), (1, None), (2, "dropped"), (3, "dropped")],
        ),
    ],
)
def test_a_full_queue_does_what_its_policy_says_and_keeps_the_order(
    policy: DropPolicy, accepted: list[bool], taken: list[tuple[int, str | None]]
) -> None:
    waiting = backlog(policy)
    assert [waiting.offer(message(seq)) for seq in range(4)] == accepted
    assert waiting.depth == 2
    assert take_all(waiting) == taken
    assert waiting.depth == 0


@pytest.mark.parametrize("policy", list(DropPolicy))
def test_one_camera_that_floods_takes_no_place_of_another(policy: DropPolicy) -> None:
    waiting = backlog(policy)
    for seq in range(10):
        waiting.offer(message(seq, b"flood"))
    assert waiting.offer(message(99, b"calm"))
    assert (99, None) in take_all(waiting)


@pytest.mark.parametrize("policy", list(DropPolicy))
def test_only_the_deadline_looks_at_the_age(policy: DropPolicy) -> None:
    clock = ManualClock(0, 100 * SECOND_NS)
    waiting = backlog(policy, clock=clock)
    waiting.offer(message(0, arrived_ns=95 * SECOND_NS))
    waiting.offer(message(1, arrived_ns=95 * SECOND_NS - 1))
    reason = "stale" if policy is DropPolicy.DEADLINE else None
    assert take_all(waiting) == [(0, None), (1, reason)]


def test_bytes_are_bounded_over_all_cameras_but_one_message_is_always_let_in() -> None:
    waiting = backlog(DropPolicy.BLOCK, frames=100, max_bytes=500)
    assert waiting.offer(message(0))
    assert not waiting.offer(message(1, b"other"))
    assert take_all(waiting) == [(0, None)]
    assert waiting.offer(message(1, b"other"))


def test_headers_of_left_out_frames_are_bounded_too() -> None:
    waiting = backlog(DropPolicy.DROP_NEWEST, frames=1)
    accepted = [waiting.offer(message(seq)) for seq in range(MOST_ENTRIES + 1)]
    assert accepted == [True] * MOST_ENTRIES + [False]
    assert waiting.take(0) is not None
    assert waiting.offer(message(MOST_ENTRIES))


def test_who_offers_waits_until_there_is_room() -> None:
    waiting = backlog(DropPolicy.BLOCK, frames=1)
    waiting.offer(message(0))
    taker = threading.Timer(0.05, lambda: waiting.take(0))
    taker.start()
    assert waiting.offer(message(1), timeout_s=PATIENCE_S)
    taker.join()


def test_who_takes_waits_until_something_comes_or_nothing_will() -> None:
    waiting = backlog(DropPolicy.BLOCK)
    threading.Timer(0.05, lambda: waiting.offer(message(0))).start()
    taken = waiting.take(PATIENCE_S)
    assert taken is not None
    threading.Timer(0.05, waiting.close).start()
    assert waiting.take(PATIENCE_S) is None
    assert waiting.ended


def test_it_has_not_ended_while_something_waits() -> None:
    waiting = backlog(DropPolicy.BLOCK)
    waiting.offer(message(0))
    waiting.close()
    assert not waiting.ended
    assert take_all(waiting) == [(0, None)]
    assert waiting.ended


def test_a_message_without_parts_waits_like_any_other() -> None:
    waiting = backlog(DropPolicy.DROP_OLDEST, frames=1)
    assert all(waiting.offer(Message(parts, 0)) for parts in ([], [b"x"] * 5, [], [b"top"]))
    lengths = []
    while (one := waiting.take(0)) is not None:
        lengths.append((len(one.parts), one.left_out is None))
    assert lengths == [(0, False), (5, True), (0, True), (1, True)]


@pytest.mark.parametrize(
    "parts",
    [[b"evil", bytes(10**6)], [b"evil"] * 5 + [bytes(10**6)], [b"evil", bytes(10**6), b""]],
    ids=["two parts", "many parts", "a header"],
)
def test_what_is_left_out_keeps_little_whatever_was_sent(parts: list[bytes]) -> None:
    waiting = backlog(DropPolicy.DROP_NEWEST, frames=1)
    for _ in range(2):
        waiting.offer(Message(parts, 0))
    waiting.take(0)
    kept = waiting.take(0)
    assert kept is not None
    assert kept.left_out is not None
    assert sum(map(len, kept.parts)) < 5000
    with pytest.raises(FrameError):
        parse(kept.parts)


@settings(max_examples=50, stateful_step_count=40)
class Backlogs(RuleBasedStateMachine):
    """Whatever comes and goes: what was accepted comes out, once, in order, marked or whole."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = itertools.count()
        self.accepted: dict[bytes, list[int]] = defaultdict(list)
        self.taken: Counter[bytes] = Counter()
        self.refused: Message | None = None
        self.waiting = backlog(DropPolicy.BLOCK)

    @precondition(lambda self: not self.accepted)
    @rule(policy=st.sampled_from(list(DropPolicy)), frames=st.integers(1, 4))
    def choose(self, policy: DropPolicy, frames: int) -> None:
        self.waiting = backlog(policy, frames=frames, max_bytes=5000)

    @rule(camera=st.sampled_from([b"a", b"b"]))
    def offer(self, camera: bytes) -> None:
        number = next(self.numbers)
        if self.waiting.offer(message(number, camera)):
            self.accepted[camera].append(number)

    @rule()
    def take(self) -> None:
        one = self.waiting.take(0)
        if one is None:
            assert self.taken.total() == sum(map(len, self.accepted.values()))
            return
        camera = bytes(one.parts[0])
        assert int(bytes(one.parts[1])) == self.accepted[camera][self.taken[camera]]
        assert one.left_out is None or one.left_out.reason is RejectReason.DROPPED
        self.taken[camera] += 1

    @invariant()
    def bytes_are_bounded(self) -> None:
        assert self.waiting.depth * len(PAYLOAD) <= 5000


TestBacklogs = Backlogs.TestCase
