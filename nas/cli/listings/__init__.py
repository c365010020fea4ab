"""Commands that list what there is: spaces, strategies, schedules and the like."""
