"""The one process that moves work."""
