"""The Celery side of a worker: it never imports torch, and always answers."""
