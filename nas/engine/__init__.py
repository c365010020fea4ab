"""The search itself: one session, its loop of proposals and trials, and who observes it."""
