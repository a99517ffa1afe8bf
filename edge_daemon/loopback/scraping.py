"""Reading the daemon's HTTP side, as a probe and as Prometheus would."""

import urllib.error
import urllib.request


def get(url: str) -> str | None:
    """The body of a page, None where there is none or it is an error."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - loopback, our own
            return str(answer.read().decode())
    except (urllib.error.URLError, OSError):
        return None


def read_metrics(http: str) -> list[tuple[str, float]]:
    """Samples of a scrape: name with labels, value."""
    text = get(f"http://{http}/metrics") or ""
    samples = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return [(name, float(value)) for name, _, value in samples if name]


def total(samples: list[tuple[str, float]], name: str) -> float:
    """Sum of a metric over all its labels."""
    return sum(value for key, value in samples if key.partition("{")[0] == name)
