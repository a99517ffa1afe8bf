import json

import pytest

from edge_daemon.clock import ManualClock
from edge_daemon.core.envelope import Announcement
from edge_daemon.storage.rows import Scribe, Weight, weigh
from tests.edge_daemon.bodies import stretch
from tests.edge_daemon.storage.test_shedding import ALARM, BEGUN, defect


@pytest.mark.parametrize(
    ("announcement", "weight"),
    [
        (BEGUN, Weight.COIL_BEGUN),
        (defect("minor"), Weight.MINOR_DEFECT),
        (defect("major"), Weight.MAJOR_DEFECT),
        (ALARM, Weight.STATE),
        (defect("critical"), Weight.CRITICAL),
        (stretch(), Weight.CRITICAL),
    ],
)
def test_each_message_weighs_what_it_would_cost_the_plant(
    announcement: Announcement, weight: Weight
) -> None:
    assert weigh(announcement.body) is weight


@pytest.mark.parametrize("now_ns", [-(10**18), 0, 10**18, 8 * 10**18])
def test_whatever_the_clock_says_a_message_gets_an_id_and_its_number(now_ns: int) -> None:
    row = Scribe(ManualClock(now_ns)).write(stretch(), 7)
    message = json.loads(row.message.payload)
    assert (message["seq"], message["id"]) == (7, row.message_id)
    assert row.message.created_ns == now_ns


def test_two_messages_of_one_moment_have_different_ids() -> None:
    scribe = Scribe(ManualClock(-1))
    assert scribe.write(stretch(), 1).message_id != scribe.write(stretch(), 2).message_id
