"""The front door: from data to a trained model within a budget, with no settings to choose."""
