"""Budgets: their texts, forecasts, and the trial after which a search ends."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.core.budgets.budget import Budget, time_text
from nas.core.budgets.forecast import Forecast
from nas.core.budgets.spending import Spending
from nas.core.constraints import Constraint
from nas.core.failure import Failure
from nas.core.objectives import Objectives
from tests.nas.core.trials import scored

ACCURACY = Objectives.parse(("accuracy",))


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ("200", {"trials": 200}),
        (200, {"trials": 200}),
        ("10m", {"seconds": 600}),
        ("2h30m", {"seconds": 9_000}),
        ("90s", {"seconds": 90}),
        ("1.5h", {"seconds": 5_400}),
        ("1d", {"seconds": 86_400}),
        ("100epochs", {"epochs": 100}),
        ("5Wh", {"watt_hours": 5}),
        ("200,0.5kWh", {"trials": 200, "watt_hours": 500}),
        ("250mwh", {"watt_hours": 0.25}),
        ("200, 10m", {"trials": 200, "seconds": 600}),
        (["10m", 200, "100epochs"], {"trials": 200, "seconds": 600, "epochs": 100}),
        (Budget(epochs=1), {"epochs": 1}),
    ],
)
def test_budgets_are_read(given, fields):
    assert Budget.parse(given) == Budget(**fields)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("5W", "want trials, a time, epochs or energy, .* got '5W'"),
        ("0mWh", "want an energy above 0"),
        (
            "ten",
            "want trials, a time, epochs or energy, such as 200, 10m, 2h30m, 100epochs or 5Wh, got",
        ),
        ("", "got ''"),
        ("10m5h", "got '10m5h'"),
        ("-3", "got '-3'"),
        (2.5, "got 2.5"),
        (True, "got True"),
        ("0", "trials: want 1 to 1,000,000,000, got 0"),
        ("0epochs", "epochs: want 1 to"),
        ("0s", "want a time above 0"),
        ("9999999999d", "up to 1,000,000,000 s"),
        ("200,100", "want trials once, got 200,100"),
        ("1h,5m", "want seconds once"),
    ],
)
def test_others_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        Budget.parse(given)


COUNTS = st.none() | st.integers(1, 10**9)
TIMES = st.none() | st.floats(0.001, 10**9)


ENERGIES = st.none() | st.floats(1e-6, 10**9)


@given(st.builds(Budget, trials=COUNTS, seconds=TIMES, epochs=COUNTS, watt_hours=ENERGIES))
def test_a_budget_is_read_from_its_text(budget):
    assert not str(budget) or Budget.parse(str(budget)) == budget


def test_times_as_text():
    times = [0.5, 59, 60, 90, 3_600, 9_000, 86_400, 3_661.25]
    texts = ["0.5s", "59s", "1m", "1m30s", "1h", "2h30m", "24h", "1h1m1.25s"]
    assert [time_text(seconds) for seconds in times] == texts


def took(number, seconds, epochs=4, **scores):
    trial = scored(number, accuracy=0.5, **scores)
    return replace(trial, recipe={"epochs": epochs}, measured={"seconds": seconds})


def test_a_forecast_is_the_median_of_an_epoch():
    forecast = Forecast(4)
    proposal = scored(0).proposal
    assert forecast.seconds(proposal) == 0  # nothing is known
    for number, seconds in enumerate((4, 8, 40)):
        forecast.observe(took(number, seconds))
    forecast.observe(replace(took(3, 1_000), failure=Failure("error", "not counted")))
    assert forecast.seconds(proposal) == 8
    assert forecast.seconds(replace(proposal, epochs=3)) == 6
    assert forecast.epoch_seconds(proposal) == 2


@pytest.mark.parametrize(("each_mac", "fixed", "expected"), [(1e-3, 0, 80), (0, 8, 8)])
def test_a_forecast_follows_the_costs_where_the_times_do(each_mac, fixed, expected):
    forecast = Forecast(4, lambda _: 80_000)
    for number, macs in enumerate(range(1_000, 11_000, 1_000)):
        forecast.observe(took(number, fixed + macs * each_mac, macs=macs))
    assert forecast.seconds(scored(0).proposal) == pytest.approx(expected)


def ends_after(budget, trials, objectives=ACCURACY):
    """The number of trials after which a search of these ends, and its reason."""
    spending = Spending(budget, objectives)
    for trial in trials:
        spending.observe(trial)
        if spending.reached():
            return trial.number + 1, spending.ending
    return None


RISING = [scored(number, accuracy=value) for number, value in enumerate((0.2, 0.5, 0.5, 0.4, 0.7))]


def test_a_forecast_of_unlike_networks_is_at_most_the_longest_so_far():
    """Seconds and costs of a fit to the diabetes data: kernel machines first, then perceptrons."""
    macs = [10, 512, 512, 512, 17792, 22112, 1408, 2816, 22112]
    seconds = [0.99, 0.29, 0.3, 0.3, 2.21, 3.25, 1.41, 1.66, 3.45]
    forecast = Forecast(4, lambda _: 60_000)
    for number, (cost, time) in enumerate(zip(macs, seconds, strict=True)):
        forecast.observe(took(number, time, macs=cost))
    assert forecast.seconds(scored(0).proposal) <= max(seconds) * 60_000 / max(macs)


def test_the_goal_is_reached_by_one_feasible_trial():
    until = (Constraint.parse("accuracy>=0.5"),)
    assert ends_after(Budget(until=until), RISING) == (2, ("until", "trial 1 has accuracy>=0.5"))
    both = (*until, Constraint.parse("parameters<=10"))
    trials = [scored(n, accuracy=a, parameters=p) for n, a, p in [(0, 1, 11), (1, 0, 1), (2, 1, 9)]]
    assert ends_after(Budget(until=both), trials)[0] == 3
    limited = Objectives.parse(("accuracy",), constraints=[Constraint.parse("parameters<=10")])
    assert ends_after(Budget(until=until), trials, limited)[0] == 3
    failed = [replace(t, failure=Failure("error", "on purpose")) for t in trials]
    assert ends_after(Budget(until=until), failed) is None


def test_patience_counts_trials_without_improvement():
    two = ends_after(Budget(patience=2), RISING)
    assert two == (4, ("patience", "2 trials without improvement of the hypervolume"))
    assert ends_after(Budget(patience=3), RISING) is None
    assert ends_after(Budget(patience=1), RISING)[0] == 3


def test_patience_holds_for_objectives_without_bounds():
    objectives = Objectives.parse(("gain:max", "cost:min"))
    rows = [*((n, n) for n in range(10)), (9, 10), (9, 5), (0, 9), (0, 9), (0, 9), (0, 9)]
    trials = [scored(n, gain=gain, cost=cost) for n, (gain, cost) in enumerate(rows)]
    assert ends_after(Budget(patience=3), trials, objectives)[0] == 15


def test_epochs_are_those_that_were_trained():
    trial = replace(scored(0, accuracy=0.5), recipe={"epochs": 5})
    assert trial.trained_epochs == 5
    curve = ({"number": 3, "accuracy": 0.1},)
    assert replace(trial, curve=curve).trained_epochs == 3
    assert replace(trial, failure=Failure("error", "early")).trained_epochs == 0
    first = replace(trial, proposal=replace(trial.proposal, epochs=2))
    second = replace(trial, number=1, proposal=first.resumed(5))
    assert second.trained_epochs == 3
    assert ends_after(Budget(epochs=5), [first, second])[0] == 2


def test_a_preparation_counts_for_epochs_time_and_energy():
    spending = Spending(Budget(epochs=5, watt_hours=2.0), ACCURACY, clock=lambda: 10.0)
    spending.prepare(3, 60.0)
    assert (spending.epochs_left, spending.seconds) == (2, 60.0)
    assert not spending.reached()
    spending.energy_now = lambda: 2.5
    spending.prepare(1)
    assert spending.reached()
    assert spending.ending == ("energy", "2.5 Wh of 2Wh")


def test_a_trial_that_was_cut_is_no_stage():
    trial = replace(scored(0, accuracy=0.5), recipe={"epochs": 5}, curve=({"number": 3},))
    staged = replace(trial, proposal=replace(trial.proposal, epochs=4))
    cut = replace(staged, measured={"cut": "stopped at the budget after 3 of 4 epochs"})
    assert (staged.epochs, staged.paused, staged.cut) == (4, True, False)
    assert (cut.epochs, cut.paused, cut.cut) == (3, False, True)
