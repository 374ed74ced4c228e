"""The JSON API: HTTP on one side, jobs.service on the other; knows no torch."""
