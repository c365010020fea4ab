"""Scores on examples that a search did not choose by: those of the test split."""
