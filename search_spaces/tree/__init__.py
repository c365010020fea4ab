"""Trees of decisions as plain data: the architectures of a space, or hyperparameters.

Five kinds of nodes make nearly every search space of the toolkit:

    Choice(3, 5, 7)                    one option; an option may itself be a node
    Integer(8, 256, step=8)            an ordinal range of integers
    Real(1e-4, 1.0, log=True)          an ordinal range of real numbers
    Struct(kernel=..., expand=...)     all fields
    Repeat(item, low, high)            low to high items

The values of a tree are frozen and hashable: scalars, tuples (of a `Repeat`) and `Record`s (of a
`Struct`). An inactive decision is not in the value. All randomness is an argument.
"""

from search_spaces.tree.choice import Choice as Choice
from search_spaces.tree.choice import label as label
from search_spaces.tree.compositions import Repeat as Repeat
from search_spaces.tree.compositions import Struct as Struct
from search_spaces.tree.node import Choose as Choose
from search_spaces.tree.node import Decision as Decision
from search_spaces.tree.node import Node as Node
from search_spaces.tree.node import PossibleDecision as PossibleDecision
from search_spaces.tree.node import Question as Question
from search_spaces.tree.node import Rebuild as Rebuild
from search_spaces.tree.ranges import Integer as Integer
from search_spaces.tree.ranges import Real as Real
