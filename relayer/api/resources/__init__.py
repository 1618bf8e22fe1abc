"""What there is under /v1, one module for each resource: its operations, and how they answer."""
