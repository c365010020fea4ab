"""Learning from earlier searches: of the same search space, or of another one."""
