"""Neural architecture search for PyTorch: search, compile, train briefly, score, export.

    run = nas.search(space="mobile", data="digits", strategy="evolution", trials=40, out="runs/first")
    run = nas.open_run("runs/first")         # run.trials, run.front, run.best()
    run.export(run.best(), "winner/")        # a bundle
    net = nas.load_bundle("winner/")         # the trained torch.nn.Module
    nas.testing.check_strategy(MyStrategy)   # the contracts, for strategies and the like of your own

Names are imported when they are first used, so that `import nas` is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from nas import installed

if TYPE_CHECKING:
    from nas.api import Run as Run
    from nas.api import iterate as iterate
    from nas.api import open_run as open_run
    from nas.api import search as search
    from nas.automl.estimators import NASClassifier as NASClassifier
    from nas.automl.estimators import NASRegressor as NASRegressor
    from nas.bundles.bundle import Bundle as Bundle
    from nas.bundles.read import load_bundle as load_bundle
    from nas.bundles.read import open_bundle as open_bundle
    from nas.core.budgets.budget import Budget as Budget
    from nas.core.failure import BudgetSpent as BudgetSpent
    from nas.core.failure import Failure as Failure
    from nas.core.metrics import Metric as Metric
    from nas.core.trial import Trial as Trial
    from nas.engine.observers import Observer as Observer
    from nas.engine.session import SearchFailed as SearchFailed
    from nas.estimators import Estimator as Estimator
    from nas.evaluators import Evaluator as Evaluator
    from nas.evaluators.function import evaluator as evaluator
    from nas.evaluators.job import Job as Job
    from nas.schedules import SCHEDULES as SCHEDULES
    from nas.strategies import STRATEGIES as STRATEGIES

MODULE_OF = {
    "Budget": "core.budgets.budget",
    "BudgetSpent": "core.failure",
    "Bundle": "bundles.bundle",
    "Estimator": "estimators",
    "Evaluator": "evaluators",
    "Failure": "core.failure",
    "Job": "evaluators.job",
    "Metric": "core.metrics",
    "Observer": "engine.observers",
    "NASClassifier": "automl.estimators",
    "NASRegressor": "automl.estimators",
    "Run": "api",
    "SCHEDULES": "schedules",
    "STRATEGIES": "strategies",
    "SearchFailed": "engine.session",
    "Trial": "core.trial",
    "evaluator": "evaluators.function",
    "iterate": "api",
    "load_bundle": "bundles.read",
    "open_bundle": "bundles.read",
    "open_run": "api",
    "search": "api",
}
MODULES = ("testing", "timm")

installed.check()


def __getattr__(name: str) -> object:
    """Import `name` from the module that has it (PEP 562)."""
    if name in MODULES:
        return import_module(f"nas.{name}")
    if name not in MODULE_OF:
        raise AttributeError(f"module 'nas' has no attribute {name!r}")
    installed.check()  # again: `sys.path` may have changed
    return getattr(import_module(f"nas.{MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *MODULE_OF, *MODULES})
