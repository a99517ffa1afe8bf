"""systemd's end of sd_notify."""

import socket
import threading
from pathlib import Path
from typing import Self


class ServiceManager:
    """Keeps what it is told, in order."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.told: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._thread = threading.Thread(target=self._listen)

    def __enter__(self) -> Self:
        self._socket.bind(str(self.path))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"", str(self.path))
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        while message := self._socket.recv(4096):
            self.told.append(message.decode())
