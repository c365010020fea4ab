"""Contract suites: checks of strategies, schedules, executors, spaces, evaluators, estimators, tasks.

    nas.testing.check_strategy(MyStrategy)
    nas.testing.check_space(my_space, input_shape=(3, 32, 32))

Each check takes an object of your own; those of strategies, schedules, executors, spaces and tasks
also take the name of a registered one. A check needs no pytest and no internet, and raises an
`AssertionError` whose one sentence says which clause of the contract is broken and how. The toolkit's
own tests call the same checks.

Names are imported when they are first used: `import nas.testing` takes no time.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nas.testing.estimator import check_estimator as check_estimator
    from nas.testing.evaluator import check_evaluator as check_evaluator
    from nas.testing.executor import check_executor as check_executor
    from nas.testing.schedule import check_schedule as check_schedule
    from nas.testing.source import check_source as check_source
    from nas.testing.space import check_space as check_space
    from nas.testing.strategy import check_strategy as check_strategy
    from nas.testing.task import check_task as check_task

CONTRACTS = (
    *("estimator", "evaluator", "executor", "schedule"),
    *("source", "space", "strategy", "task"),
)


def __getattr__(name: str) -> object:
    """Import a check from the module of its contract (PEP 562)."""
    contract = name.removeprefix("check_")
    if name == contract or contract not in CONTRACTS:
        raise AttributeError(f"module 'nas.testing' has no attribute {name!r}")
    return getattr(import_module(f"nas.testing.{contract}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *(f"check_{contract}" for contract in CONTRACTS)})
