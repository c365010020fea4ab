"""Budgets: the bounds of a search, its account, and the trials that may still begin."""
