"""How long `digest --version` takes, as a ratio to `python -c 'import click'` in the same run.

Run it with the Python of a real (not editable) installation: python bench/startup.py [ROUNDS]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

BOUND = 1.5


def seconds(command: list[str]) -> float:
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 25
    digest = [str(Path(sysconfig.get_path("scripts")) / "digest"), "--version"]
    yardstick = [sys.executable, "-c", "import click"]
    for command in (digest, yardstick):
        seconds(command)
    # In turn, so that a noisy moment of the machine meets both.
    pairs = [(seconds(digest), seconds(yardstick)) for _ in range(rounds)]
    ratio = statistics.median(a / b for a, b in pairs)
    own, other = (statistics.median(times) * 1000 for times in zip(*pairs, strict=True))
    print(
        f"digest --version {own:.0f} ms, import click {other:.0f} ms, ratio {ratio:.2f} (aim: at "
        f"most {BOUND})"
    )


if __name__ == "__main__":
    main()
