import os
import socket
from pathlib import Path

from edge_daemon.listeners import listens_on


def test_a_process_s_ports_and_socket_files_are_seen_and_no_others(tmp_path: Path) -> None:
    path = str(tmp_path / "frames")
    with (
        socket.create_server(("127.0.0.1", 0)) as four,
        socket.create_server(("::1", 0), family=socket.AF_INET6) as six,
        socket.socket(socket.AF_UNIX) as file,
        socket.socket() as silent,
    ):
        file.bind(path)
        file.listen()
        silent.bind(("127.0.0.1", 0))
        found = listens_on(os.getpid())
        assert found is not None
        assert {four.getsockname()[1], six.getsockname()[1], path} <= found
        assert silent.getsockname()[1] not in found
        assert four.getsockname()[1] not in (listens_on(1) or ())


def test_a_process_that_is_gone_is_not_looked_into() -> None:
    assert listens_on(2**22 + 1) is None
