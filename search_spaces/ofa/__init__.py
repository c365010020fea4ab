"""Once-for-All: the search space (`space`); its networks are those of `mobile`."""
