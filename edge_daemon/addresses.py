"""Which addresses only this computer can reach."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Whether a name or an address, IPv6 in brackets or not, is this computer's own for sure."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def is_local(endpoint: str) -> bool:
    """Whether only this computer's programs reach a ZeroMQ endpoint, for sure."""
    if endpoint.startswith("ipc://"):
        return True
    return is_loopback(endpoint.removeprefix("tcp://").rpartition(":")[0])
