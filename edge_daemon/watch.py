"""`edge-daemon watch`: what a subscriber sees, readable, with what it should have seen."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TextIO

from rich.console import Console
from rich.text import Text

from edge_daemon.delivery.broker import Broker
from edge_daemon.delivery.subscriber import LinkChanged, Received, Subscriber

_ENVELOPE: Final = frozenset({"id", "seq", "ts", "schema"})
_REMEMBERED: Final = 10_000
_COLOURS: Final = {"event": "yellow", "alarm": "red", "status": "cyan", "health": "bright_black"}


@dataclass
class Continuity:
    """Judges each message by `id` and `seq`: new, seen before, or with some missing before it.

    Retained messages are older than what else comes in, and `status` and `health` carry the number
    of the last message that counts; neither moves the count.
    """

    _last_seq: int | None = None
    _ids: dict[str, None] = field(default_factory=dict)

    def judge(self, message: Mapping[str, Any], *, counted: bool) -> str | None:
        """Return what is remarkable about the message, None where nothing is."""
        message_id, seq = message.get("id"), message.get("seq")
        if not isinstance(message_id, str) or not isinstance(seq, int):
            return "no id and seq: not one of ours"
        if message_id in self._ids:
            return "duplicate"
        self._remember(message_id)
        last = self._last_seq
        if counted:
            self._last_seq = max(seq, last or 0)
        if last is None or seq == last + counted:
            return None
        if seq <= last:
            return f"late, after {last}" if counted else None
        return f"missing {last + 1}..{seq - 1}" if counted else f"{seq - last} not here yet"

    def _remember(self, message_id: str) -> None:
        self._ids[message_id] = None
        if len(self._ids) > _REMEMBERED:
            del self._ids[next(iter(self._ids))]


def watch(
    broker: Broker,
    *,
    out: TextIO,
    as_json: bool = False,
    idle_s: float | None = None,
) -> None:
    """Follow every topic below the root until interrupted.

    Args:
        broker: where to listen, and below which root.
        out: where lines go.
        as_json: payloads as they came, one a line, and nothing else.
        idle_s: stop after so long without an event; None: never.

    Raises:
        ConfigurationError: the password or a certificate can't be read.
    """
    with Subscriber(broker) as subscriber:
        events = subscriber.events(idle_s)
        if as_json:
            _print_json(events, out)
        else:
            _print_lines(events, broker.root, Console(file=out, highlight=False))


def _print_json(events: Iterator[Received | LinkChanged], out: TextIO) -> None:
    for event in events:
        if isinstance(event, Received):
            out.write(event.payload.decode("utf-8", "replace") + "\n")
            out.flush()


def _print_lines(events: Iterator[Received | LinkChanged], root: str, console: Console) -> None:
    continuity = Continuity()
    for event in events:
        if isinstance(event, Received):
            console.print(readable(event, root, continuity), soft_wrap=True)
        elif event.connected:
            console.print(Text(f"following {root}/#", "green"))
        else:
            console.print(Text(f"not connected: {event.detail}", "red"))


def readable(received: Received, root: str, continuity: Continuity) -> Text:
    """Return one line: time, topic below the root, what it says, what is remarkable."""
    topic = received.topic.removeprefix(f"{root}/")
    colour = _COLOURS.get(topic.split("/")[0], "")
    try:
        message = json.loads(received.payload)
    except ValueError:
        message = None
    if not isinstance(message, dict):
        return Text.assemble((topic, colour), f" {len(received.payload)} bytes that are no JSON")
    counted = topic.startswith(("event/", "alarm/")) and not received.retained
    remark = None if received.retained else continuity.judge(message, counted=counted)
    said = "  ".join(f"{key}={value}" for key, value in message.items() if key not in _ENVELOPE)
    return Text.assemble(
        (str(message.get("ts", "")), "bright_black"),
        f" {message.get('seq', '')!s:>6} ",
        (topic, colour),
        "  ",
        said,
        ("  (retained)" if received.retained else "", "bright_black"),
        (f"  <- {remark}" if remark else "", "bold red"),
    )
