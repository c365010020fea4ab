"""Ensembles of networks of another space: the search space (`space`) and its networks (`network`)."""
