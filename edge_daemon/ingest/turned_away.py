"""Why somebody who knocked at a door was not let in."""

from enum import StrEnum


class TurnedAway(StrEnum):
    """By name: the closed set behind the metric's label `reason`."""

    UNKNOWN_KEY = "unknown_key"
    """His key is that of no [[camera]], or no longer."""
    WRONG_SERVER_KEY = "wrong_server_key"
    """He takes another key for the daemon's: an old one, or he looks for another daemon."""
    NO_KEY = "no_key"
    """He knocks without one."""
    OTHER = "other"
    """He hung up (one without a key may be the first to), fell silent or speaks something else; or
    nobody decides any more."""
