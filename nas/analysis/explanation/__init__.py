"""Explanations of a run from its trials: importance of decisions and effects of options."""
