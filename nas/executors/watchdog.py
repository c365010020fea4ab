"""A process that kills the workers of a search which can no longer do so itself.

It reads from its standard input which process groups exist (`+123`) and which have ended (`-123`).
When the other end closes, because the search has ended or was killed in any way, it kills those
that are left. It runs as a script, and imports next to nothing.
"""

import os
import signal
import sys


def main() -> None:
    """Remember process groups until the standard input ends, then kill them."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
    for group in groups:
        try:
            os.killpg(group, signal.SIGKILL)
        except OSError:  # it has ended by itself
            continue


if __name__ == "__main__":
    main()
