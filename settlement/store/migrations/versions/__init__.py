"""Migrations, named by their number."""
