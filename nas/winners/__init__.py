"""The use of the networks that a search found: export, retraining, prediction, comparison."""
