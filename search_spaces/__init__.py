"""Search spaces: the architectures that may be built, their costs and their networks.

    space = search_spaces.get("nasbench201")            # or load("my_space.py:space")
    architecture = space.sample(random.Random(0))
    task = search_spaces.Task(input_shape=(3, 32, 32), outputs=10)
    net = space.compile(architecture, task)             # torch.nn.Module
    cost = space.cost(architecture, task)               # parameters, macs, peak_activation_bytes

To add a space: write a module with a factory called `space` and name it in `SPACES`, or offer it
from another package by an entry point of the group `nas.spaces`.
"""

from search_spaces.architecture import Architecture as Architecture
from search_spaces.cost.walk import Cost as Cost
from search_spaces.cost.walk import Walk as Walk
from search_spaces.dag import Dag as Dag
from search_spaces.dag import canonical_dag as canonical_dag
from search_spaces.dag import prune_dag as prune_dag
from search_spaces.ensemble.space import ensemble_of as ensemble_of
from search_spaces.reference import SpaceReference as SpaceReference
from search_spaces.registry import SPACES as SPACES
from search_spaces.registry import get as get
from search_spaces.registry import load as load
from search_spaces.sampling import Bound as Bound
from search_spaces.sampling import Feasible as Feasible
from search_spaces.sharing import Shared as Shared
from search_spaces.sharing import Sharing as Sharing
from search_spaces.sharing import shares as shares
from search_spaces.space import SearchSpace as SearchSpace
from search_spaces.task import Task as Task
from search_spaces.tree import Choice as Choice
from search_spaces.tree import Integer as Integer
from search_spaces.tree import Node as Node
from search_spaces.tree import Real as Real
from search_spaces.tree import Repeat as Repeat
from search_spaces.tree import Struct as Struct
from search_spaces.tree.values import Record as Record
