import sqlite3
from pathlib import Path

import pytest

from edge_daemon.clock import SystemClock
from edge_daemon.errors import StoreError
from edge_daemon.storage.database import connect
from edge_daemon.storage.outbox import Outbox
from tests.edge_daemon.bodies import stretch


class CommitsAndComplains(sqlite3.Connection):
    """A connection whose disk writes a commit and reports an error all the same, once."""

    complain = False

    def execute(self, sql: str, *parameters: object) -> sqlite3.Cursor:
        done = super().execute(sql, *parameters)  # type: ignore[arg-type]
        if sql == "COMMIT" and self.complain:
            self.complain = False
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise error
        return done


def test_what_a_complaining_disk_has_written_after_all_is_not_stored_twice(
    tmp_path: Path,
) -> None:
    made: list[CommitsAndComplains] = []

    def connector(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
        if read_only:
            return connect(path, read_only=True)
        connection = sqlite3.connect(
            path, isolation_level=None, timeout=0, factory=CommitsAndComplains
        )
        made.append(connection)
        return connection

    with Outbox(tmp_path / "o.db", SystemClock(), connector=connector) as outbox:
        outbox.commit([stretch(0)], {"mark": "1"})
        made[-1].complain = True
        batch = [stretch(1), stretch(2)]
        with pytest.raises(StoreError, match="I/O"):
            outbox.commit(batch, {"mark": "2"})
        stored = outbox.commit([*batch, stretch(3)], {"mark": "3"})
        assert [message.seq for message in stored] == [2, 3, 4]
        assert outbox.pending(after_seq=1, limit=9) == stored
        assert (outbox.depth, outbox.last_seq, outbox.state()) == (4, 4, {"mark": "3"})
        assert len(made) == 2
