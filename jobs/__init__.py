"""What a job is, where it is kept, how it is handed over."""

__version__ = "0.1.0"
