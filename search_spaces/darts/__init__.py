"""DARTS: the search space (`space`) and its networks (`network`)."""
