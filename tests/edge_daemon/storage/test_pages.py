import random
import sqlite3
from pathlib import Path

from edge_daemon.storage.pages import PageFile, Value


def database(path: Path, rows: dict[int, tuple[Value, ...]]) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a, b, c)")
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", [(k, *v) for k, v in rows.items()])
    connection.execute("COMMIT")
    return connection


def any_value(chance: random.Random) -> Value:
    length = chance.choice([0, 1, 50, 4000, 4061, 4062, 20_000])
    return chance.choice(
        [
            None,
            0,
            1,
            -1,
            chance.randrange(-(2**63), 2**63),
            chance.randrange(-(2**20), 2**20),
            chance.random(),
            "é" * (length // 2),
            chance.randbytes(length),
        ]
    )


def read(path: Path) -> dict[int, tuple[Value, ...]]:
    return {
        record.rowid: record.values[1:]
        for record in PageFile(path).records()
        if record.rowid is not None and len(record.values) == 4
    }


def test_every_row_is_read_as_sqlite_wrote_it_in_the_file_and_in_the_log(tmp_path: Path) -> None:
    chance = random.Random(1)  # noqa: S311 - a test that repeats
    rows: dict[int, tuple[Value, ...]] = {
        chance.randrange(1, 2**40): (any_value(chance), any_value(chance), any_value(chance))
        for _ in range(300)
    }
    path = tmp_path / "t.db"
    connection = database(path, rows)
    assert path.with_name("t.db-wal").stat().st_size > path.stat().st_size
    assert read(path) == rows
    connection.close()
    assert not path.with_name("t.db-wal").exists()
    assert read(path) == rows


def test_a_log_of_before_the_last_checkpoint_is_not_played_in_again(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    connection = database(path, {1: ("old", 0, 0), 2: (b"x" * 9000, 0, 0)})
    connection.execute("PRAGMA wal_checkpoint")
    connection.execute("UPDATE t SET a = 'new' WHERE id = 1")
    connection.execute("PRAGMA wal_checkpoint")
    assert read(path)[1] == ("new", 0, 0)
    connection.close()


def test_random_bytes_are_no_rows_and_no_error(tmp_path: Path) -> None:
    chance = random.Random(2)  # noqa: S311 - a test that repeats
    path = tmp_path / "t.db"
    path.write_bytes(chance.randbytes(4096 * 40 + 17))
    path.with_name("t.db-wal").write_bytes(chance.randbytes(4120 * 7))
    for record in PageFile(path).records():
        assert record.values is not None
