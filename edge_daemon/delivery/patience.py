"""How long delivery waits for what."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the sender waits for what, and how much it has under way; seconds.

    Attributes:
        window: QoS 1 messages in flight at most, the broker's Receive Maximum permitting.
        ack_deadline_s: after which a link that owes an acknowledgement is cut and made anew.
        reconnect_s: first and longest wait before the next connection.
        refused_s: first and longest wait before a refused message is tried again.
        health_s: from one health message to the next.
    """

    window: int = 20
    ack_deadline_s: float = 30.0
    reconnect_s: tuple[float, float] = (1.0, 30.0)
    refused_s: tuple[float, float] = (1.0, 60.0)
    health_s: float = 5.0


DEFAULT_PATIENCE = Patience()
