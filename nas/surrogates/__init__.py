"""Models of scores: what a strategy or an analysis expects of a configuration that was not trained."""
