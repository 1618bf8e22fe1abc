"""The web page of a party: static files, one document of everything that is on it, and what a reader may ask for.

What it shows is what the daemon saw last; the page never looks at a chain by itself.
"""
