"""Repeatable benchmarks, run by make bench."""
