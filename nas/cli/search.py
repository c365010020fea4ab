"""The command `nas search`, whose options are generated from the schema in `nas.runs.options`."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas.cli.console import messages, print_json
from nas.cli.help import OUTPUT
from nas.cli.look import show_run
from nas.core.numbers import counted
from nas.runs.options import OPTIONS

if TYPE_CHECKING:
    from rich.console import Console

    from nas.core.budgets.budget import Budget
    from nas.engine.session import Session
    from nas.runs.option import Option
    from nas.runs.options import Request


def search(*, json: bool, plan: bool, **given: Any) -> int:
    """Search for architectures; run the same command again to continue."""
    from nas.api import open_session, read_request

    console = messages()
    request = read_request(given, lambda option: option.flag)
    if plan:
        session = open_session(request, notify=console.print)
        _print_plan(session, request, console, as_json=json)
        return 0

    from nas.views.tensorboard import TensorBoard
    from nas.views.terminal.live import live_view

    budget = request.whole_budget

    def workers() -> int:
        return session.limits.workers

    session = open_session(
        request,
        notify=console.print,
        observers=(TensorBoard(), live_view(budget, console, workers=workers)),
    )
    _run(session, request, console)
    _confirm(session, request, console)
    _judge(session, request, console)
    run = show_run(session.path, as_json=json, space=session.space)
    return 1 if run.all_failed else 0


def _parameter(option: Option) -> inspect.Parameter:
    """The parameter from which typer makes an option of the command."""
    default, kind = None if option.late else option.default, option.form.type
    if kind is not bool and default is not None:
        default = option.form.text(default) if kind is str else kind(default)
        default = None if default in ("", []) else default
    info = typer.Option(
        option.flag,
        help=option.help,
        metavar="<str>" if kind == list[str] else None,
        rich_help_panel=option.group,
        show_default=default is not None and kind is not bool,
    )
    return inspect.Parameter(
        option.keyword,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[kind if kind is bool and default is not None else kind | None, info],
    )


_PLAN = inspect.Parameter(
    "plan",
    inspect.Parameter.KEYWORD_ONLY,
    default=False,
    annotation=Annotated[
        bool,
        typer.Option(
            "--plan",
            help="Print a forecast of the search and end: the architectures within the limits, "
            "their sizes, time, memory and disk. A few steps are timed, nothing is recorded.",
            rich_help_panel=OUTPUT,
        ),
    ],
)
_JSON = inspect.Parameter(
    "json",
    inspect.Parameter.KEYWORD_ONLY,
    default=False,
    annotation=Annotated[
        bool,
        typer.Option(
            "--json", help="Print one JSON document instead of text.", rich_help_panel=OUTPUT
        ),
    ],
)
search.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
    [*map(_parameter, OPTIONS.values()), _PLAN, _JSON]
)

_COLUMN = 14  # of the subjects of a training: the forecast stands below them
_MORE = {  # what continues a search that is complete, by the reason for which it ended
    "trials": "a larger --trials",
    "time": "a larger --budget",
    "epochs": "a larger --budget",
    "until": "a harder --until",
    "patience": "a larger --patience",
}


def _run(session: Session, request: Request, console: Console) -> None:
    """Run a search; if it is complete or is stopped, print how to continue it."""
    done, path, budget = len(session.trials), session.path, request.whole_budget
    if end := session.spent(budget):
        reason, message = end
        more = _MORE.get(reason, "another budget")
        console.print(f"{path} is complete: {message}; {more} continues it")
        return
    for line in session.understood:
        console.print(line, soft_wrap=True)
    _print_forecast(session, request, console)
    if done:
        are = "is" if done == 1 else "are"
        console.print(f"{path}: {_done_text(done, budget)} {are} there; continuing")
    try:
        for _ in session.run(budget):
            done += 1
    except Exception:  # `nas.cli.main` prints its message
        raise
    except BaseException:  # Ctrl-C and SIGTERM: the search can be continued
        console.print(
            f"stopped after {_done_text(done, budget)}, all recorded in {path}; "
            f"the same command continues"
        )
        raise


def _confirm(session: Session, request: Request, console: Console) -> None:
    """Name the winner, with a progress bar."""
    from nas.cli.trainings_bar import trainings_bar
    from nas.confirming import confirm

    with trainings_bar() as (start, progress):

        def begin(candidates: int, trainings: int) -> None:
            start(
                f"confirming the winner: the best {candidates}, up to {trainings} trainings with "
                f"other seeds",
                trainings,
            )

        confirm(session, request, begin=begin, progress=progress, notify=console.print)


def _judge(session: Session, request: Request, console: Console) -> None:
    """Compare the winner with its baselines, with a progress bar."""
    from nas.cli.trainings_bar import trainings_bar
    from nas.gating import Messages, after_search

    with trainings_bar() as (begin, progress):
        told = Messages(begin=begin, progress=progress, notify=console.print)
        after_search(session, request, told)


def _print_plan(session: Session, request: Request, console: Console, *, as_json: bool) -> None:
    """Print the forecast of a search that is not run."""
    from nas.confirming import planned
    from nas.runs.understood import aligned

    plan = planned(session.plan(request.whole_budget, thorough=True), session, request)
    if as_json:
        print_json(plan.to_dict())
        return
    for line in session.understood:
        console.print(line, soft_wrap=True)
    for line in aligned(plan.lines):
        print(line)


def _print_forecast(session: Session, request: Request, console: Console) -> None:
    """Print what the search will take; without a forecast it goes on."""
    from nas.confirming import planned
    from nas.runs.understood import aligned

    try:
        plan = planned(session.plan(request.whole_budget), session, request)
    except Exception as error:  # whatever it is, it is not the search's
        why = " ".join(str(error).split()) or type(error).__name__
        console.print(f"forecast      none: {why}")
        return
    for line in aligned(plan.lines, least=_COLUMN):
        console.print(line, soft_wrap=True)


def _done_text(done: int, budget: Budget) -> str:
    if budget.trials is None:
        return counted(done, "trial")
    return f"{done:,} of {counted(budget.trials, 'trial')}"
