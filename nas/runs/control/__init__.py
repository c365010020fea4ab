"""Files of a run by which a search tells how it ended, and is asked to stop."""
