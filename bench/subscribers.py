"""What it costs to read a subscribers file, in CPU seconds and as a ratio to the YAML parser alone.

Run it from a checkout: python -m bench.subscribers [READERS]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from ruamel.yaml import YAML

from digest.subscribers.check import check_text

ROUNDS = 3


def seconds(work: Callable[[], object]) -> float:
    """The least CPU time of several rounds."""
    took = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        work()
        took.append(time.process_time() - begin)
    return min(took)


def main() -> None:
    readers = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    text = "subscribers:\n" + "".join(
        f"  - email: r{i}@example.org\n    keywords: [reasoning, reward model]\n    at: '07:00'\n"
        for i in range(readers)
    )
    check_text(text[: text.index("\n", 60) + 1], "subscribers.yaml")  # imports are not counted
    parsing = seconds(lambda: list(YAML(typ="safe").parse(text)))
    reading = seconds(lambda: check_text(text, "subscribers.yaml"))
    print(f"{readers} readers: {reading:.2f} s of CPU, {reading / parsing:.1f} times the parser's")


if __name__ == "__main__":
    main()
