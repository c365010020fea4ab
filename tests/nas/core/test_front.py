"""The front of a search as its trials come, against one of all that are its latest stages."""

from hypothesis import given
from hypothesis import strategies as st

from nas.core.configuration import Configuration
from nas.core.failure import Failure
from nas.core.fronts.front import TrialFront
from nas.core.fronts.pareto import Front
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from search_spaces import Architecture

OBJECTIVES = Objectives.parse(("accuracy", "parameters"))
EPOCHS = 3  # of the recipe: what has so many behind it is not continued
LEVELS = st.integers(0, 4)  # so few that vectors repeat


@st.composite
def histories(draw):
    """Trials of which some go on from earlier ones that stopped, and some fail."""
    trials = []
    paused = []
    recipe = draw(st.sampled_from([{"epochs": EPOCHS}, {}]))  # some do not say where they end
    for number in range(draw(st.integers(1, 25))):
        before = draw(st.sampled_from([None, *paused]))
        if before is None:
            proposal = Proposal(
                Configuration.of(Architecture("toy", number)), epochs=draw(st.integers(1, EPOCHS))
            )
        else:
            paused.remove(before)
            proposal = before.resumed(draw(st.integers(before.proposal.epochs + 1, EPOCHS)))
        parameters = draw(LEVELS) if before is None else before.scores["parameters"]
        trial = Trial(
            number=number,
            proposal=proposal,
            recipe=recipe,
            scores={"accuracy": draw(LEVELS) / 4, "parameters": parameters},
            failure=draw(st.sampled_from([None, None, None, Failure("error", "on purpose")])),
        )
        trials.append(trial)
        if trial.completed and proposal.epochs < EPOCHS:
            paused.append(trial)
    return trials


@given(histories())
def test_it_is_the_front_of_the_latest_stages_after_every_trial(trials):
    front, latest = TrialFront(OBJECTIVES), {}
    for trial in trials:
        joined = front.add(trial)
        if trial.completed:
            latest.pop(trial.proposal.resume_from, None)
            latest[trial.number] = trial
        expected = Front()
        for stage in latest.values():
            expected.add(OBJECTIVES.vector(stage.scores), stage)
        assert [t.number for t in front.items] == [t.number for t in expected.items]
        assert joined == (trial in expected.items)


def test_what_can_never_be_on_it_is_not_kept():
    front = TrialFront(OBJECTIVES)
    for number in range(100):
        accuracy = 1 - number / 100
        front.add(
            Trial(
                number=number,
                proposal=Proposal(Configuration.of(Architecture("toy", number))),
                recipe={"epochs": EPOCHS},
                scores={"accuracy": accuracy, "parameters": 10 + number},
            )
        )
    assert [trial.number for trial in front.items] == [0]
    assert len(front._latest) == 1
