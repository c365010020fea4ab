"""TensorBoard as `python -m nas.views.tensorboard.server`, with its smoothing off at first.

Its page of curves smooths them by an average over points, which bends steps such as the best score so
far, and no data can ask it not to: of points at one step it keeps the last. An address can, so that a
page without a value for the smoothing leads to the same page with 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

Start = Callable[[str, list[tuple[str, str]]], Any]
Application = Callable[[dict[str, Any], Start], Iterable[bytes]]

_PLAIN = "smoothing=0"


def unsmoothed(application: Application) -> Application:
    """Wrap TensorBoard so that a page without a value for the smoothing has 0."""

    def answer(environment: dict[str, Any], start: Start) -> Iterable[bytes]:
        query = environment.get("QUERY_STRING", "")
        if environment.get("PATH_INFO") != "/" or "smoothing" in parse_qs(query):
            return application(environment, start)
        start("302 Found", [("Location", f"/?{f'{query}&' if query else ''}{_PLAIN}")])
        return []

    return answer


def main() -> None:
    """Run TensorBoard with the arguments of its own command."""
    from absl import app
    from tensorboard import default, main_lib, program

    class Server(program.WerkzeugServer):  # type: ignore[misc]
        """Serves the pages; its class is how TensorBoard lets another have a say."""

        def __init__(self, application: Application, flags: Any) -> None:
            super().__init__(unsmoothed(application), flags)

    main_lib.global_init()
    board = program.TensorBoard(plugins=default.get_plugins(), server_class=Server)
    app.run(board.main, flags_parser=board.configure)


if __name__ == "__main__":
    main()
