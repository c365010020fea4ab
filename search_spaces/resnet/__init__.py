"""Residual networks: the search space (`space`) and its networks (`network`)."""
