import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_daemon.clock import ManualClock
from edge_daemon.storage.database import SCHEMA_VERSION
from edge_daemon.storage.recovery import open_database
from edge_daemon.storage.rows import Scribe

NOW_NS = 1_700_000_000_000_000_001
ASIDE = "o.db.corrupt-20231114T221320.000000001Z"


def opening(path: Path) -> tuple[sqlite3.Connection, Path | None]:
    opened = open_database(
        path, max_bytes=1 << 24, scribe=Scribe(ManualClock(NOW_NS)), now_ns=NOW_NS
    )
    return opened.connection, None if opened.recovery is None else opened.recovery.aside


def opened(path: Path) -> Path | None:
    connection, aside = opening(path)
    connection.close()
    return aside


def filled(path: Path) -> None:
    connection, _ = opening(path)
    connection.executemany(
        "INSERT INTO state (key, value) VALUES (?, ?)",
        [(str(key), "x" * 500) for key in range(200)],
    )
    connection.close()


def scribble(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[3 * 4096 : 8 * 4096] = b"\xa5" * (5 * 4096)
    path.write_bytes(content)


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: 5 * 4096 + 100])


def replace_by_text(path: Path) -> None:
    path.write_text("not a database at all, but long enough to be taken for one\n" * 100)


def make_newer(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()


@pytest.mark.parametrize("damage", [scribble, cut_off, replace_by_text, make_newer])
def test_what_cannot_be_used_is_put_aside_whole_and_a_new_one_begun(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    path = tmp_path / "o.db"
    filled(path)
    damage(path)
    content = path.read_bytes()
    aside = opened(path)
    assert aside == tmp_path / ASIDE
    assert aside.read_bytes() == content
    assert opened(path) is None


def test_a_sound_database_stays_where_it_is(tmp_path: Path) -> None:
    filled(tmp_path / "o.db")
    assert opened(tmp_path / "o.db") is None
    assert [entry.name for entry in tmp_path.iterdir()] == ["o.db"]


def test_the_pragmas_that_durability_rests_on_are_in_force(tmp_path: Path) -> None:
    connection, _ = opening(tmp_path / "o.db")
    wanted = {"journal_mode": "wal", "synchronous": 2, "locking_mode": "exclusive"}
    found = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in wanted}
    connection.close()
    assert found == wanted
