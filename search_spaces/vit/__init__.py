"""Vision transformers: the search space (`space`) and its networks (`network`)."""
