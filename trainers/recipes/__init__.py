"""The recipe of a training: its hyperparameters, optimiser and weight averaging."""
