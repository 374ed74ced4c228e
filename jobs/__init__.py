"""What a job is, where it is kept, how it is handed over."""
