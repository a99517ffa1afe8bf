"""Which addresses only this computer can reach."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Whether a name or an address, IPv6 in brackets or not, is this computer's own for sure."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
