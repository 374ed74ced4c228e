"""One GPU worker: a Celery consumer and the engine that it supervises."""
