"""The tree of decisions: what may be built, as plain data.

A few node kinds span every search space of the toolkit, and a recipe's hyperparameters too:

    Choice(3, 5, 7)                    one of these; an option may itself be a node
    Integer(8, 256, step=8)            an ordinal range of integers
    Real(1e-4, 1.0, log=True)          an ordinal range of real numbers
    Struct(kernel=..., expand=...)     every field
    Repeat(item, low, high)            between low and high items

The values of a tree are frozen and hashable: scalars, tuples (of a `Repeat`) and `Record`s (of a
`Struct`). A decision that is not active does not exist in the value. All randomness is an argument.
"""

from search_spaces.tree.choice import Choice as Choice
from search_spaces.tree.choice import label as label
from search_spaces.tree.compositions import Repeat as Repeat
from search_spaces.tree.compositions import Struct as Struct
from search_spaces.tree.node import Choose as Choose
from search_spaces.tree.node import Decision as Decision
from search_spaces.tree.node import Node as Node
from search_spaces.tree.node import Place as Place
from search_spaces.tree.node import PossibleDecision as PossibleDecision
from search_spaces.tree.node import Question as Question
from search_spaces.tree.ranges import Integer as Integer
from search_spaces.tree.ranges import Real as Real
