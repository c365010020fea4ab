"""NAS-Bench-201: the search space (`space`) and its networks (`network`)."""
