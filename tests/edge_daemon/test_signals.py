import os
import signal

import pytest

from edge_daemon.signals import follow_orders, stop_on_signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_sets_the_flag_and_the_old_handler_is_put_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with stop_on_signals() as stop:
        assert not stop.is_set()
        os.kill(os.getpid(), number)
        assert stop.wait(5)
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_order_to_end_stands(number: signal.Signals) -> None:
    with follow_orders() as orders:
        assert not orders.wait(0.0)
        os.kill(os.getpid(), number)
        assert orders.wait(5)
        assert not orders.take_reload()
        assert orders.stop
        assert orders.wait(0.0)


def test_a_new_configuration_is_asked_for_once() -> None:
    before = signal.getsignal(signal.SIGHUP)
    with follow_orders() as orders:
        os.kill(os.getpid(), signal.SIGHUP)
        assert orders.wait(5)
        assert orders.take_reload()
        assert not orders.take_reload()
        assert not orders.wait(0.0)
        assert not orders.stop
    assert signal.getsignal(signal.SIGHUP) is before
