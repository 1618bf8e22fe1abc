"""The HTTP API of a running party: resources under /v1, described by the OpenAPI document it serves.

What it reads is what the daemon saw last and what the store holds; no request makes a node work. What it writes
are wishes and words of agreement: the plan decides whether and when they are safe.
"""
