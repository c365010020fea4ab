"""HTML report of a run: one file that needs no network and opens in any browser.

The files of a run are untrusted: the templates escape every value, and the policy of the page admits
no script, style or picture but its own.
"""
