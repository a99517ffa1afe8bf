"""A byte through ZeroMQ's I/O thread: it comes back, or is missed."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import zmq

from edge_daemon.clock import ManualClock
from edge_daemon.ingest.pulse import Pulse
from tests.conftest import wait_until
from tests.edge_daemon.stopped_threads import may_trace, stopped

SECOND_NS = 10**9
PULSE = """
import sys
import time
import zmq
from edge_daemon.clock import SystemClock
from edge_daemon.ingest.pulse import Pulse

with zmq.Context() as context, Pulse(context, SystemClock(), missed_after_s=1.5) as pulse:
    while True:
        print(pulse.complaint(), flush=True)
        time.sleep(0.1)
"""
STRANGER = """
import sys
import zmq

with zmq.Context() as context, context.socket(zmq.PUSH) as push:
    push.setsockopt(zmq.LINGER, 0)
    push.setsockopt(zmq.IMMEDIATE, 1)
    push.connect(sys.argv[1])
    print(bool(push.poll(1000, zmq.POLLOUT)) and push.send(b"x", zmq.NOBLOCK) is None)
"""


def turn(pulse: Pulse, clock: ManualClock, by_s: float = 1.0) -> str | None:
    """Let time pass, for the byte too."""
    clock.advance(int(by_s * SECOND_NS))
    time.sleep(0.01)
    return pulse.complaint()


def test_what_comes_back_is_no_reason_to_complain_however_long_it_goes_on() -> None:
    clock = ManualClock()
    with zmq.Context() as context, Pulse(context, clock, missed_after_s=3.0) as pulse:
        assert turn(pulse, clock, 100.0) is None  # control: the first had come back, whatever time
        for _ in range(20):
            assert turn(pulse, clock) is None


def test_bytes_that_do_not_come_back_any_more_are_missed_once_their_time_is_over() -> None:
    clock = ManualClock()
    with zmq.Context() as context, Pulse(context, clock, missed_after_s=3.0) as pulse:
        assert turn(pulse, clock) is None
        pulse._out.disconnect(pulse._out.getsockopt_string(zmq.LAST_ENDPOINT))  # noqa: SLF001 - cut
        reasons = [turn(pulse, clock) for _ in range(6)]
    assert reasons[0] is None
    assert "passed on nothing for 3 s" in (reasons[-1] or "")


@pytest.mark.skipif(not may_trace(), reason="this computer lets nobody trace a process")
def test_an_io_thread_that_stands_still_is_missed_until_it_goes_on() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PULSE],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
    ) as process:
        assert process.stdout is not None
        try:
            assert [process.stdout.readline() for _ in range(20)] == ["None\n"] * 20
            with stopped(process.pid, "ZMQbg/IO"):
                while (said := process.stdout.readline()) == "None\n":
                    pass
                assert said.startswith("ZeroMQ's I/O thread")
            while process.stdout.readline() != "None\n":
                pass
        finally:
            process.kill()


def test_another_process_is_not_let_in_and_this_one_goes_on() -> None:
    clock = ManualClock()
    with zmq.Context() as context, Pulse(context, clock, missed_after_s=3.0) as pulse:
        address = pulse._back.getsockopt_string(zmq.LAST_ENDPOINT)  # noqa: SLF001 - it is secret
        said = subprocess.run(
            [sys.executable, "-c", STRANGER, address], capture_output=True, text=True, check=True
        )
        assert said.stdout == "False\n"
        assert [turn(pulse, clock) for _ in range(5)] == [None] * 5


def test_it_leaves_nothing_behind_and_lets_the_context_end() -> None:
    with zmq.Context() as context, Pulse(context, ManualClock()) as pulse:
        address = pulse._back.getsockopt_string(zmq.LAST_ENDPOINT)  # noqa: SLF001 - it is secret
        listening = Path("/proc/net/unix").read_text()
        assert address.removeprefix("ipc://") in listening
    wait_until(lambda: address.removeprefix("ipc://") not in Path("/proc/net/unix").read_text())
