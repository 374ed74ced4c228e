"""Rendered faces with a known age."""
