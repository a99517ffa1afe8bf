from pathlib import Path

import pytest

from edge_daemon.clock import SystemClock
from edge_daemon.delivery.journal import Journal
from edge_daemon.delivery.verdicts import Verdicts
from edge_daemon.errors import StoreError
from edge_daemon.storage.outbox import Outbox
from tests.edge_daemon.bodies import stretch
from tests.edge_daemon.delivery.conftest import Watcher


def test_a_verdict_counts_from_the_moment_it_is_passed_and_is_then_written_down(
    tmp_path: Path,
) -> None:
    watcher = Watcher()
    with Outbox(tmp_path / "o.db", SystemClock()) as outbox:
        [first, second, _] = outbox.commit([stretch()] * 3, {})
        verdicts = Verdicts(outbox, Journal(outbox, SystemClock()), watcher)
        verdicts.confirm(first)
        verdicts.doom(second, "Topic name invalid")
        assert verdicts.seqs == {1, 2}
        assert outbox.depth == 3
        verdicts.write_down()
        assert verdicts.seqs == set()
        assert (outbox.depth, outbox.dead) == (1, 1)
    assert watcher.buried == [("event/coverage", "Topic name invalid")]


def test_what_cannot_be_written_down_stays_known(tmp_path: Path) -> None:
    watcher = Watcher()
    with Outbox(tmp_path / "o.db", SystemClock()) as outbox:
        [first, second] = outbox.commit([stretch()] * 2, {})
        verdicts = Verdicts(outbox, Journal(outbox, SystemClock()), watcher)
        verdicts.confirm(first)
        verdicts.doom(second, "no")
    with pytest.raises(StoreError):
        verdicts.write_down()
    assert verdicts.seqs == {1, 2}
    assert watcher.buried == []
