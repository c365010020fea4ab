"""Every registered space, small enough that its networks are looked into in no time."""

import search_spaces
from nas.analysis.space_report import usual_task

SPACES = {name: name for name in search_spaces.SPACES} | {
    "nasbench201": "nasbench201:channels=4,cells=1",
    "nasbench101": "nasbench101:channels=16,cells=1",
    "darts": "darts:channels=4,layers=3",
}


def task_for(space):
    """A task that it is for."""
    return usual_task(space, 10)
