"""One GPU worker: a Celery consumer and its engine."""
