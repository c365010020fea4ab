"""A run as one page to send: a single HTML file that needs no network and runs on any browser.

Whatever comes from the run's files may come from a stranger: `markup` escapes it, and the page's
policy lets no script, style or picture in but its own.
"""
