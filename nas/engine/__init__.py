"""The search itself: one session, its loop of proposals and trials, and its observers."""
