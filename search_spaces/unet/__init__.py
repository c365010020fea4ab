"""U-Nets for one output per pixel: the search space (`space`) and its networks (`network`)."""
