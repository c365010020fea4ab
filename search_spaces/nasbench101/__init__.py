"""NAS-Bench-101: the search space (`space`) and its networks (`network`)."""
