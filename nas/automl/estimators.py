"""Estimators of scikit-learn's interface: a search, an ensemble of what it found, predictions."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from nas.automl import inputs
from nas.automl.fit import Plan, fit, is_folded
from nas.automl.targets import Labelled, labels_of, values_of
from nas.bundles.predictions import LIKELY, Classes, Labels, Predictions, Values
from trainers.data.sources.objects import is_frame

if TYPE_CHECKING:
    from nas.bundles.bundle import Bundle
    from trainers.data.assembly import Held

_LOG = logging.getLogger("nas")

# Shape letters: N examples, K classes or labels, T targets.


class _NASEstimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """The parameters and the fitting that both estimators share."""

    def __init__(
        self,
        *,
        budget: int | str = "2m",
        objectives: str | Sequence[str] | None = None,
        limits: str | Sequence[str] = (),
        ensemble: int = 8,
        seed: int = 0,
        workers: int = 1,
        out: str | Path | None = None,
        warm_start: str | Path | Sequence[str | Path] = (),
        space: str = "auto",
        layout: str | None = None,
        device: str = "auto",
        progress: bool = False,
    ) -> None:
        self.budget = budget
        self.objectives = objectives
        self.limits = limits
        self.ensemble = ensemble
        self.seed = seed
        self.workers = workers
        self.out = out
        self.warm_start = warm_start
        self.space = space
        self.layout = layout
        self.device = device
        self.progress = progress

    def _fit(self, X: Any, targets: Labelled, sample_weight: Any) -> Self:
        began = monotonic()
        parameters = self.get_params(deep=False)
        layout = inputs.parse_layout(parameters.pop("layout"))
        plan = Plan.of(parameters)
        found = inputs.to_fit(self, X)
        weights = inputs.weights_of(sample_weight, found)
        folded = is_folded(len(found), found.ndim)
        split_off: tuple[Held, ...] = () if folded else ("validation",)
        data = inputs.dataset(found, targets, weights, layout=layout, split_off=split_off)
        columns = tuple(map(str, X.columns)) if is_frame(X) else ()
        say = print if self.progress else _LOG.info
        self.fitted_ = fit(data, plan, columns=columns, began=began, say=say)
        return self

    @property
    def bundle_(self) -> Bundle:
        """The model as a bundle that has not been written; see `export`."""
        check_is_fitted(self)
        return self.fitted_.bundle

    @property
    def leaderboard_(self) -> Any:
        """The configurations that were tried, the best first: a DataFrame, or dicts without pandas."""
        check_is_fitted(self)
        return inputs.frame_of(self.fitted_.leaderboard)

    def export(self, to: str | Path, *, force: bool = False) -> Bundle:
        """Write the model as a bundle, which needs neither this toolkit nor scikit-learn.

        Args:
            to: The folder of the bundle.
            force: Replace the bundle in that folder, if there is one.

        Raises:
            NotFittedError: the model is not fitted.
            ValueError: the folder exists and not `force`, or it is not a bundle.
        """
        check_is_fitted(self)
        return self.fitted_.export(Path(to), force=force)

    def _predictions(self, X: Any) -> Predictions:
        check_is_fitted(self)
        plain = self.fitted_.bundle.described["preprocessing"]
        return self.fitted_.predict(inputs.to_predict(self, X, plain))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.three_d_array = True
        tags.target_tags.multi_output = True
        return tags


class NASClassifier(ClassifierMixin, _NASEstimator):  # type: ignore[misc]
    """A classifier, found within a budget: an ensemble of networks, with nothing to be chosen.

        model = nas.NASClassifier(budget="2m").fit(X, y)
        model.predict(X_new)

    For the order of what it does see `nas.automl.fit`. With a budget of time a fit is not repeatable;
    with one of trials (`budget=20`) the same seed gives the same model.

    Args:
        budget: Time such as "30s" or "2m", or a number of trials, of the whole fit.
        objectives: Metrics to optimise, the most important first; see `nas.search`. Default: the one
            that suits the data, and parameters.
        limits: Bounds on metrics of each network, such as "parameters<=50000"; see `nas.search`. One on
            parameters, multiply-accumulates or latency holds for the whole ensemble too.
        ensemble: Most configurations whose networks predict together; 1 for the best one alone.
        seed: Seed of the search.
        workers: Number of trials at a time.
        out: Folder of the run, for `nas show`, TensorBoard and the report; an interrupted fit with the
            same parameters and data continues there. None for a temporary one.
        warm_start: Architectures to evaluate first, such as the folder of an earlier run; see
            `nas.search`.
        space: Search space; "auto" for one that suits the data.
        layout: Axes of an array, such as "NLC" or "NHW"; see `nas.search`. None infers them.
        device: "auto", "cpu", "cuda" or "cuda:N".
        progress: Show a bar with the best so far and the time left.

    Attributes:
        classes_: The classes as they were given, sorted; of labels [N,K], their numbers.
        n_features_in_: Number of columns.
        feature_names_in_: Names of the columns, where X was a DataFrame.
        leaderboard_: The configurations that were tried, the best first.
        bundle_: The model as a bundle that has not been written; see `export`.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Search, and keep the best ensemble.

        Args:
            X: A DataFrame (numbers, categories, dates, missing values), or an array (N, columns),
                (N, length, channels), (N, height, width) or (N, height, width, channels).
            y: Classes [N] of any type, or labels [N,K] of 0 and 1.
            sample_weight: Factors [N] of the losses of the examples, at least 0; None for equal ones.
                Configurations are compared by scores of all examples alike.

        Raises:
            ValueError: X, y or sample_weight is not so, a parameter is not allowed, or nothing can be learnt.
            nas.SearchFailed: all trainings failed.
        """
        targets = labels_of(y)
        assert targets.classes is not None
        self._fit(X, targets, sample_weight)
        self.classes_ = targets.classes
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable class of each example [N], or its labels int64 [N,K] of 0 and 1.

        Raises:
            NotFittedError: the model is not fitted.
            ValueError: X has other columns than in the fit.
        """
        found = self._predictions(X)
        if isinstance(found, Labels):
            return (found.probabilities > LIKELY).numpy().astype(np.int64)
        assert isinstance(found, Classes)
        predicted: NDArray[Any] = self.classes_[found.probabilities.argmax(dim=1).numpy()]
        return predicted

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probabilities of the classes, or of the labels, float64 [N,K].

        Raises:
            NotFittedError: the model is not fitted.
            ValueError: X has other columns than in the fit.
        """
        found = self._predictions(X)
        assert isinstance(found, Classes | Labels)
        return found.probabilities.double().numpy()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class NASRegressor(RegressorMixin, _NASEstimator):  # type: ignore[misc]
    """A regressor, found within a budget: an ensemble of networks, with nothing to be chosen.

    The parameters and attributes are those of `NASClassifier`, without `classes_`.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Search, and keep the best ensemble.

        Args:
            X: As for `NASClassifier.fit`.
            y: Values [N] or [N,T] in any units.
            sample_weight: As for `NASClassifier.fit`.

        Raises:
            ValueError: X, y or sample_weight is not so, a parameter is not allowed, or nothing can be learnt.
            nas.SearchFailed: all trainings failed.
        """
        targets = values_of(y)
        self._fit(X, targets, sample_weight)
        self._flat = targets.values.ndim == 1
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Values float64 [N] or [N,T], in the units of y.

        Raises:
            NotFittedError: the model is not fitted.
            ValueError: X has other columns than in the fit.
        """
        found = self._predictions(X)
        assert isinstance(found, Values)
        values = found.values.double().numpy()
        return values[:, 0] if self._flat else values
