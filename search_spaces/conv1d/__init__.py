"""Temporal convolutions: the search space (`space`) and its networks (`network`)."""
