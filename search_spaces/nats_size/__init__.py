"""NATS-Bench's size space: the search space (`space`) and its networks (`network`)."""
