"""`python -m edge_daemon.schemas [FOLDER]` writes the documents, by default where they ship."""

import sys
from pathlib import Path

from edge_daemon.schemas.documents import documents


def main(arguments: list[str]) -> None:
    """Write every document into the folder given."""
    folder = Path(arguments[0]) if arguments else Path(__file__).parent
    for name, text in documents().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
