"""A process that outlives the search by a moment, to end what the search can no longer end.

It is told on its standard input which process groups there are (`+123`) and which are gone
(`-123`). When the other end closes, because the search has ended or was killed in whatever way, it
kills all that are left. It stands for itself and imports next to nothing: it runs as a script.
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
        except OSError:  # it has gone by itself
            continue


if __name__ == "__main__":
    main()
