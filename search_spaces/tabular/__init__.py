"""Networks for vectors and rows of tables: the search space (`space`) and its networks (`network`)."""
