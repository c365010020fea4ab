"""Tables of many sources, and methods side by side on the same folds of them."""
