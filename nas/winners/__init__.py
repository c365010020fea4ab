"""What is done with the networks a search found: export, retraining, prediction, comparison."""
