"""Models of scores: predictions for configurations that have not been trained."""
