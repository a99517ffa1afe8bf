"""Keys and peers for tests of the doors."""

import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from edge_daemon.ingest.keys import KeyPair, Keyring, Login, make_pair


@dataclass
class Plant:
    """A daemon's keyring and two cameras of it."""

    daemon: KeyPair = field(default_factory=make_pair)
    top: KeyPair = field(default_factory=make_pair)
    side: KeyPair = field(default_factory=make_pair)

    @property
    def keyring(self) -> Keyring:
        return Keyring(self.daemon, {self.top.public: "top", self.side.public: "side"})

    def login(self, pair: KeyPair) -> Login:
        return Login(pair, self.daemon.public)


class RawPeer:
    """Speaks ZMTP 3.0 (ZeroMQ RFC 23) by hand, to say what no library would let it say."""

    def __init__(self, address: str, mechanism: bytes = b"NULL") -> None:
        if address.startswith("ipc://"):
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.socket.connect(address.removeprefix("ipc://"))
        else:
            host, _, port = address.removeprefix("tcp://").rpartition(":")
            self.socket = socket.create_connection((host, int(port)))
        self.socket.settimeout(20)
        signature = b"\xff" + bytes(8) + b"\x7f"
        self.socket.sendall(signature + b"\x03\x00" + mechanism.ljust(20, b"\0") + bytes(32))
        self._greeting = self._read_greeting()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def _read_greeting(self) -> bytes:
        """The other end's, or as much of it as came before it hung up."""
        got = b""
        with suppress(ConnectionError):
            while len(got) < 64 and (more := self.socket.recv(64 - len(got))):
                got += more
        return got

    def is_hung_up_on(self) -> bool:
        """Read until the other end closes; False where it doesn't in time."""
        try:
            while self.socket.recv(4096):
                pass
        except TimeoutError:
            return False
        except ConnectionError:
            return True
        return True

    def ready(self, **properties: bytes) -> None:
        """Introduce itself as a PUSH socket, with any further properties."""
        assert len(self._greeting) == 64, "hung up on"
        body = b"\x05READY"
        for name, value in {"Socket-Type": b"PUSH", **properties}.items():
            key = name.replace("_", "-").encode()
            body += bytes([len(key)]) + key + struct.pack(">I", len(value)) + value
        self.socket.sendall(b"\x04" + bytes([len(body)]) + body)

    def send(self, *parts: bytes) -> None:
        for number, part in enumerate(parts, start=1):
            more = number < len(parts)
            self.socket.sendall(bytes([2 | more]) + struct.pack(">Q", len(part)) + part)
