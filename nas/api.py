"""The public functions of `nas`: search, open a run, export a network."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nas import confirming, gating
from nas.core.failure import cause_lines
from nas.core.trial import Trial
from nas.engine.observers import Observer
from nas.engine.own_code import LISTS, OBJECTS
from nas.engine.session import Session
from nas.runs import options
from nas.runs import run as runs
from nas.runs.header import check_packages
from nas.runs.option import Option
from nas.runs.references import describe
from search_spaces import SearchSpace
from search_spaces.notation import did_you_mean
from search_spaces.user_files import PASSED

_LOG = logging.getLogger("nas")  # messages to the user of a search

if TYPE_CHECKING:
    from nas.analysis.mistakes.report import Mistakes
    from nas.bundles.bundle import Bundle


class Run(runs.Run):
    """One search, read from its folder, with the export of its networks.

    Reading never writes, and runs nothing that the folder names.

    Args:
        path: The folder.
        space: The search space, if it is in a file of your own: `path/to/file.py:variable`, or the
            space itself.
        trials: The trials of its journal, if they have been read already.
        data: The data of the search, if a program passed them as an object.

    Raises:
        ValueError: the folder is not a run, is damaged, or was made by a newer version.
    """

    def _repr_html_(self) -> str:
        from nas.views.notebook import run_html

        return run_html(self)

    def export(
        self, trial: Trial, to: str | Path, *, data: object = None, force: bool = False
    ) -> Bundle:
        """Write a bundle with the architecture, weights and metrics of a trial; see `nas.bundles`.

        The bundle is verified in a process of its own before it is written, which takes seconds.

        Args:
            trial: A completed trial whose weights were kept.
            to: The folder of the bundle.
            data: The data of the search, if they were passed as an object; the run that `search`
                returns has them. Without them the test split is not used.
            force: Replace the bundle in that folder, if there is one.

        Raises:
            ValueError: the weights of the trial were not kept, or `to` exists and not `force`.
            nas.bundles.verify.VerificationError: a format of the network gives other outputs.
        """
        from nas.winners.export import export_trial

        given = self.data if data is None else data
        return export_trial(self, trial, Path(to), data=given, force=force)

    def export_ensemble(
        self,
        to: str | Path,
        *,
        most: int = 5,
        limits: str | Sequence[str] = (),
        data: object = None,
        force: bool = False,
    ) -> Bundle:
        """Select trials that predict well together, and write one bundle of all their networks.

        They are selected by their mean prediction for examples that they did not learn from: Caruana et
        al., "Ensemble Selection from Libraries of Models", ICML 2004. Search with `keep=...`, or only
        trials of the front have weights.

        Args:
            to: The folder of the bundle.
            most: Most different trials; one with folds has a network for each of them.
            limits: Upper bounds on costs of the whole ensemble, such as `parameters<=50000`, one or
                several. Those of the run on costs and latencies hold too.
            data: The data of the search, if they were passed as an object; the run that `search`
                returns has them.
            force: Replace the bundle in that folder, if there is one.

        Raises:
            ValueError: the data are gone or have changed; no trial has weights or is within the
                limits; the task is segmentation; or `to` exists and not `force`.
            nas.bundles.verify.VerificationError: a format of the network gives other outputs.
        """
        from nas.winners.export import export_ensemble

        given = self.data if data is None else data
        bounds = [limits] if isinstance(limits, str) else limits
        return export_ensemble(self, Path(to), most=most, limits=bounds, data=given, force=force)

    def mistakes(self, trial: Trial) -> Mistakes:
        """The mistakes of the network of a trial on the validation split.

        It is computed from the weights once and kept in the folder. It has metrics by class, label or
        target, the confusion matrix or residuals, and the worst examples.

        Args:
            trial: A completed trial whose weights were kept: one of the front.

        Raises:
            ValueError: the weights were not kept, or the data are gone or have changed.
        """
        from nas.analysis.context import AnalysisContext
        from nas.analysis.mistakes.of_trial import mistakes_of

        return mistakes_of(AnalysisContext.of(self), trial)


# BEGIN: generated by scripts/search_signature.py from nas/runs/options.py
def search(
    *,
    data: Any | None = None,
    target: str | None = None,
    space: Any | None = None,
    strategy: Any = "evolution",
    objectives: str | Sequence[str] | None = None,
    trials: int | None = None,
    budget: int | str | Sequence[int | str] | None = None,
    epochs: int | None = None,
    workers: int | Literal["auto"] = 1,
    out: str | Path | None = None,
    sample_weight: str | None = None,
    image_size: int | None = None,
    flip: bool | None = None,
    layout: str | None = None,
    data_seed: int = 0,
    folds: int = 0,
    task: str = "auto",
    schedule: Any = "none",
    tune: str | Sequence[str] = (),
    baselines: bool = False,
    seed: int = 0,
    max_pending: int = 4,
    ordered: bool = True,
    dead_parts: bool | None = None,
    max_params: int | None = None,
    max_macs: int | None = None,
    limits: str | Sequence[str] = (),
    latency_batch: int = 1,
    latency_backend: str = "torch",
    device_profile: str | Path | None = None,
    learning_rate: float | None = None,
    batch_size: int | None = None,
    optimizer: str | None = None,
    momentum: float | None = None,
    weight_decay: float | None = None,
    label_smoothing: float | None = None,
    augmentation: float | None = None,
    class_weight: str | None = None,
    dropout: float | None = None,
    device: str = "auto",
    threads: int = 1,
    evaluator: Any = "training",
    estimators: Any = (),
    loss: Any = "default",
    metric: Any = (),
    until: str | Sequence[str] = (),
    patience: int | None = None,
    confirm: float | None = None,
    gate: bool = False,
    trial_timeout: float | None = None,
    trial_memory: int | str | None = None,
    total_memory: int | str | None = None,
    address: str | None = None,
    resources: str | Mapping[str, float] | None = None,
    retry_failed: bool = False,
    executor: Any | None = None,
    warm_start: str | Path | Sequence[str | Path] = (),
    learn_from: str | Path | Sequence[str | Path] = (),
    thread_watts: float | None = None,
    grams_per_kwh: float | None = None,
    keep: int = 0,
    observers: Iterable[Observer] = (),
    **recipe: Any,
) -> Run:
    """Search, and return the run; resume it if its folder exists.

    Args:
        data: Data set: digits, the name of a torchvision data set, an image folder, an .npz file, a
            folder of .npy files or a table (.csv, .tsv, .parquet) with --target; none if your
            evaluator has its own. Default: digits; with an evaluator of your own, none.
        target: Column of a table to predict, or several separated by commas.
        space: Search space: a name (`nas spaces` lists them), name:setting=value,...,
            path/to/file.py:variable, fixed:SPACE:ARCHITECTURE, ensemble:SPACE, or none for
            hyperparameters alone. Default: auto, one that suits the data; with an evaluator of your
            own, none.
        strategy: Search strategy: one that `nas strategies` lists, or with settings
            name:setting=value,... such as evolution:population=64; or path/to/file.py:Class.
        objectives: Metrics to optimise (`nas metrics` lists them), separated by commas, the most
            important first, such as accuracy,parameters; one of your own with its direction, as in
            f1:max. Default: the metric that suits the task (accuracy, balanced_accuracy, r2, ...)
            and parameters; with an evaluator of your own, its first metric and parameters.
        trials: Number of trials in all, those already recorded included. Default: 40; none with a
            budget.
        budget: Budget of the search: trials, time, epochs of training or energy, such as 200, 10m,
            2h30m, 100epochs or 5Wh, or several, such as 200,10m: the search ends with the first
            that is spent, earlier sessions included. Trials that would not end in time are not
            begun; one that runs when the time is over is stopped after its epoch and recorded. A
            function of your own that reports no epochs can be stopped only in a worker process
            (--executor workers, or several --workers). An end by time is not repeatable.
        epochs: Epochs of each training. Default: 5; for vectors and tables, 10 to 40, by the number
            of rows; for sequences, 5 to 100, and for fewer than 640 images, 5 to 40, by their
            number.
        workers: Number of trials at a time, or auto: the number with the highest throughput,
            measured at the start. The trials are the same for any number.
        out: Folder of the run, which is resumed if it exists. Default: a name under runs/.
        sample_weight: Column of a table with the weight of each row in the loss.
        image_size: Side in pixels of the squares to which images are resized. Default: their own
            size, or for a folder of images of different sizes one that suits most, which is
            printed.
        flip: Flip images left to right at random in training, for images that keep their labels
            when they are flipped. Default: on for the data sets of torchvision whose images do,
            else off.
        layout: Axes of the inputs of an .npz file or of arrays: ND, NL, NCL, NLC, NHW, NCHW or
            NHWC, of N examples, D values, L steps, C channels, H height, W width. Default: inferred
            and printed; where several are likely, the search asks for this option.
        data_seed: Seed of the split into training and validation data.
        folds: Folds of cross-validation: each configuration is trained once for each fold of the
            training and validation data together, and scored on all of them. An epoch counts once
            for all folds. 0 for one validation split.
        task: Task: classification, multilabel, regression, segmentation, or auto, which infers it
            from the targets and prints it.
        schedule: Schedule of the epochs of trials: one that `nas schedules` lists, or with settings
            name:setting=value,... such as asha:eta=3,min_epochs=1 or asha:rungs=2+5. It resumes
            promising trials for more epochs; each resumed training is a trial of its own.
        tune: Hyperparameters to search together with the architecture: all, or names separated by
            commas.
        baselines: Evaluate the known architectures of the space first.
        seed: Seed of the search: the same seed gives the same trials (on a GPU, with the recipe
            deterministic=true).
        max_pending: Greatest number of trials that are pending at a time. It affects which trials
            are proposed; the number of workers does not.
        ordered: Use results in trial order, or as soon as each trial ends (--unordered, in Python
            ordered=False): no trial waits for a slow one, but the same seed may give other trials.
        dead_parts: Propose architectures with dead parts too, such as convolutions of nothing,
            whose parameters cannot change the output. Default: no; yes with an evaluator of your
            own, which may have published scores of them.
        max_params: Greatest number of parameters of a network.
        max_macs: Greatest number of multiply-accumulates of a network for one input.
        limits: Bound on any metric (`nas metrics` lists them), such as parameters<=50000 or
            latency_ms<=5. Only configurations whose costs and estimates keep the bounds are
            evaluated; a trial that exceeds another bound is recorded, but never on the front. May
            be given several times.
        latency_batch: Batch size at which latency is measured (latency_ms) or estimated
            (estimated_latency_ms), if it is an objective or has a limit.
        latency_backend: Runtime in which latency is measured or estimated: torch, on the device of
            the training; onnxruntime, on the CPU (the extra onnx); or cuda-graph, on a GPU without
            the time of launches.
        device_profile: Profile of a device, a file that nas latency --calibrate writes there:
            estimated_latency_ms is the latency of that device, which may be another machine.
        learning_rate: Peak learning rate. Default: 0.2 for sgd, 0.01 for adamw; for vectors and
            tables, 0.01; for sequences, with adamw, 0.003.
        batch_size: Examples per step. Default: 64; for vectors and tables, 32 to 256, by the number
            of rows; for sequences, 16 to 64, by their number; for fewer than 640 images, 32.
        optimizer: Optimiser: sgd or adamw. Default: sgd; for vectors, tables and sequences, adamw.
        momentum: Momentum of sgd, or beta 1 of adamw. Default: 0.9.
        weight_decay: Weight decay. Default: 0.0005; with adamw, for vectors and tables by the
            number of rows, for sequences 0.05.
        label_smoothing: Share of the target spread over all classes. Default: 0.1.
        augmentation: Strength of data augmentation, 0 to 1. Default: 0.5.
        class_weight: Weights of the examples in the loss: balanced, for rare classes to count as
            much as common ones, or none. A regression has no classes, and takes none. Default:
            none.
        dropout: Dropout rate before the last linear layer; for vectors and tables, before each but
            the first. Default: 0.0; for vectors and tables, 0.15, or 0.3 of a regression.
        recipe: Other fields of the training recipe, such as `averaging=0.9`; with patience=5 a
            training ends after 5 epochs without a better validation score.
        device: Device to train on: auto, cpu, cuda or cuda:N.
        threads: Torch threads of each trial on the CPU; they affect the last digits of scores.
        evaluator: Evaluator of each configuration: training, the built-in one; proxies, which
            trains nothing and scores by zero-cost proxies; supernet, which trains one set of
            weights for all networks, or supernet:setting=value,... such as
            supernet:sampling=fair,epochs=100; or a function of your own as
            path/to/file.py:function.
        estimators: Estimator of your own, as path/to/file.py:name: its metrics are known before a
            configuration is evaluated. May be given several times.
        loss: Loss of the built-in training: default, that of the task, or a function of your own
            from outputs and targets to losses, as path/to/file.py:function.
        metric: Metric of your own of the built-in training, as path/to/file.py:function from all
            outputs and targets of the validation split to a number. As an objective it has the name
            of the function and a direction, as in f_beta:max. May be given several times.
        until: Goal that ends the search, such as accuracy>=0.98: a completed trial within all
            limits has reached it. May be given several times: one trial has to reach all.
        patience: Number of trials in a row without improvement of the hypervolume that ends the
            search: 30 with the strategy predictor and one objective; others want more.
        confirm: Share of the budget, 0 to 0.5, for training the best trials again with other seeds
            at the end, which names the winner with its noise. Of a time, it is taken off the
            search; of trials and epochs, it comes on top. Default: 0.15; with an evaluator of your
            own, 0.
        gate: Judge the winner at the end: known networks of the space, random search at equal cost
            and simple models are trained alike, and compared with new seeds on the test split. It
            takes about as long as the search again, beside its budget; nas gate does it for a run
            that is there.
        trial_timeout: Seconds that a trial may take.
        trial_memory: Memory that a trial may take above what its worker uses before the first
            trial, such as 2GB (Linux).
        total_memory: Memory that all trials on a device may take together, as predicted. A trial
            for which there is no room waits; one alone always runs. Default: for workers that share
            a GPU, its free memory.
        address: Address of a Ray cluster, or auto for the one on this machine.
        resources: Resources of a Ray cluster for each trial, such as CPU=1,GPU=0.5.
        retry_failed: Try trials again that failed for want of memory or time, or that crashed, for
            example with a larger --trial-memory. The journal keeps both; those tried again come on
            top of the number of trials.
        executor: Place where trials run: in-process, workers, ray or slots (in turns in one worker
            process, for small networks on a GPU). Default: the first that can keep to the resource
            limits.
        warm_start: Architectures to evaluate first: those of a bundle, those on the front of a run,
            those in a file that nas portfolio wrote, or one as text, which may have searched
            hyperparameters: 'ARCHITECTURE with learning_rate=0.01'. May be given several times.
        learn_from: Earlier searches to learn from, separated by commas: folders of runs or of many
            runs, or auto, all under runs/ that fit. The strategy predictor takes them into its
            model, for as long as they rank the trials rightly; the others evaluate a portfolio of
            their best first. They are copied into the run. May be given several times.
        thread_watts: Watts of a busy thread of the processor, for the energy of trials where no
            counter can be read. Default: the design power of its model by thread.
        grams_per_kwh: Grams of CO2 by kWh of your electricity, such as 350, for what the run says
            of its energy.
        keep: Number of the best trials, in the first objective, whose weights are kept beside those
            of the front.
        observers: Further observers of the search; see `nas.engine.observers.Observer`. Each is given
            the run, and may stop the search: `run.stop()`.

    Raises:
        ValueError: a setting is not allowed; one line that says what was wanted and got.
        SearchFailed: the first ten trials all failed.
        ChildProcessError: worker processes do not stay alive, or a trial broke the GPU of this one.

    Examples:
        >>> import nas
        >>> def width(job):
        ...     return {"outputs": job.network()[-1].out_features}
        >>> run = nas.search(
        ...     space="mlp", data="digits", evaluator=width, objectives=["outputs:max", "parameters"],
        ...     trials=3, out="runs/width",
        ... )
        >>> [trial.scores["outputs"] for trial in run.trials]
        [10, 10, 10]
        >>> nas.open_run("runs/width").best() in run.front
        True
    """
    # END
    given = {**locals()}
    request, session, new_trials = _begin({**given.pop("recipe"), **given})
    for _ in new_trials:
        pass
    confirming.confirm(session, request)
    gating.after_search(session, request, gating.Messages(notify=_LOG.warning))
    run = Run(session.path, session.space, data=session.problem.objects.get("data"))
    if run.all_failed:
        causes = "; ".join(cause_lines((trial.failure for trial in run.failures), most=3))
        which = "the trial" if len(run.failures) == 1 else f"all {len(run.failures)} trials"
        _LOG.warning("%s: %s failed: %s", run.path, which, causes)
    return run


def iterate(observers: Iterable[Observer] = (), **given: Any) -> Iterator[Trial]:
    """Search, and yield each trial once it is recorded.

    The search goes on as trials are asked for; it ends where no more are, as `Run.stop` would end
    it. Its run is in the folder `out`, and an observer is given it.

    Args:
        observers: Further observers of the search; see `nas.engine.observers.Observer`.
        given: The keywords of `search`.

    Raises:
        ValueError: as for `search`; a setting is refused before the first trial is asked for.

    Examples:
        >>> import nas
        >>> from search_spaces import Integer
        >>> @nas.evaluator(metrics={"cost": "minimize"}, hyperparameters={"n": Integer(0, 9)})
        ... def cost(job):
        ...     return {"cost": job.hyperparameters["n"]}
        >>> for trial in nas.iterate(evaluator=cost, strategy="grid", trials=10, out="runs/n"):
        ...     if trial.scores["cost"] == 0:
        ...         break
        >>> trial.hyperparameters["n"]
        0
    """
    return _begin({**given, "observers": observers})[2]


def _begin(given: dict[str, Any]) -> tuple[options.Request, Session, Generator[Trial]]:
    """Open a session, and begin its search when its first trial is asked for."""
    observers = given.pop("observers")
    request = read_request(given)
    from nas.views.notebook_progress import notebook_views
    from nas.views.tensorboard import TensorBoard

    budget = request.whole_budget

    def workers() -> int:
        return session.limits.workers

    shown = notebook_views(budget, workers)
    followers = (TensorBoard(), *shown, *observers)
    session = open_session(request, observers=followers, notify=_LOG.warning)

    def told() -> Generator[Trial]:
        if session.spent(budget) is None:
            _LOG.warning("%s", "\n".join(session.understood))
        yield from session.run(budget)

    return request, session, told()


def read_request(
    given: Mapping[str, Any], name_of: Callable[[Option], str] | None = None
) -> options.Request:
    """Read a search from keywords of `search` or from options of the command.

    Args:
        given: Values by keyword. Others are fields of the training recipe.
        name_of: Names an option in errors; by default its keyword.

    Raises:
        ValueError: a value is not allowed, a source of a warm start cannot be read, or the run to
            resume uses a package that is not installed.
    """
    from nas.evaluators.factories import recipe_names
    from nas.winners.warm_start import architectures_of

    known = {keyword: given[keyword] for keyword in options.OPTIONS if keyword in given}
    objects = _take_objects(known)
    if known.get("out") is not None:
        check_packages(Path(known["out"]))
    name = "recipe"
    chosen = options.SETTINGS[name].parse(_recipe_fields(known.pop(name, None)), name)
    others = {field: value for field, value in given.items() if field not in options.OPTIONS}
    names = recipe_names()
    for unknown in others.keys() - set(names):
        raise ValueError(
            f"want a keyword of nas.search or a field of the recipe, got {unknown!r}"
            f"{did_you_mean(unknown, [*options.OPTIONS, *names])}"
        )
    chosen |= others
    if known.get("warm_start") is not None:
        sources = options.SETTINGS["warm_start"].parse(known["warm_start"], "warm_start")
        known["warm_start"] = architectures_of(sources)
    return replace(options.read({**known, name: chosen}, name_of), objects=objects)


def _take_objects(known: dict[str, Any]) -> dict[str, Any]:
    """Replace objects among the keywords by their references; return them by keyword.

    Raises:
        ValueError: an object cannot be referred to.
    """
    found: dict[str, Any] = {}
    for name in OBJECTS:
        value = known.get(name)
        many = value if name in LISTS and isinstance(value, list | tuple) else [value]
        if all(one is None or isinstance(one, str | Path) for one in many):
            continue
        texts = [str(one) if isinstance(one, str | Path) else _text_of(one, name) for one in many]
        found[name] = list(many) if name in LISTS else value
        known[name] = texts if name in LISTS else texts[0]
    return found


def _text_of(value: object, name: str) -> str:
    """The reference to an object, which data have no name for: their contents are compared."""
    return f"{PASSED}:data" if name == "data" else describe(value, name).text


def _recipe_fields(recipe: Any) -> Any:
    """The fields of a recipe; of a `Recipe`, those that differ from the default."""
    if not is_dataclass(recipe) or isinstance(recipe, type):
        return recipe or {}
    default = {field.name: field.default for field in fields(recipe)}
    return {name: value for name, value in asdict(recipe).items() if value != default[name]}


def open_session(
    request: options.Request,
    *,
    observers: Iterable[Observer] = (),
    notify: Callable[[str], None] | None = None,
    temporary: bool = False,
) -> Session:
    """The session of a search that is asked for; see `nas.engine.session.Session`."""
    session = Session(
        request.settings,
        request.path,
        limits=confirming.limits_of(request),
        executor=request.executor,
        notify=notify,
        observers=observers,
        objects=request.objects,
        retry_failed=request.retry_failed,
        temporary=temporary,
    )
    session.check(request.whole_budget)
    return session


def open_run(path: str | Path, space: str | SearchSpace | None = None) -> Run:
    """Open the run in a folder. No code that the folder names is executed.

    Args:
        path: The folder.
        space: The search space, if it is in a file of your own: `path/to/file.py:variable`, or the
            space itself.

    Raises:
        ValueError: the folder is not a run, is damaged, or was made by a newer version.
    """
    return Run(path, space)
