"""Where verbs write: tables for people, JSON for scripts."""

import json
import sys

from rich.console import Console


def console() -> Console:
    """Standard output, in colour where that is a terminal."""
    return Console(highlight=False)


def error_console() -> Console:
    """Standard error: progress goes there where standard output is for a script."""
    return Console(stderr=True, highlight=False)


def print_json(content: object) -> None:
    """Write a value for scripts; JSON has no NaN, and neither have our figures."""
    sys.stdout.write(json.dumps(content, indent=2, allow_nan=False) + "\n")


def say(line: str, *, to: Console | None = None) -> None:
    """Write a line as it is: names in it may look like markup."""
    (to or console()).print(line, markup=False, soft_wrap=True)
