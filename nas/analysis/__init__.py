"""Why a search found what it found, how far to trust it, and how runs compare."""
