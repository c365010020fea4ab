"""Records and ideas of a search: proposals, trials, objectives, fronts. No input or output."""
