"""`python -m benchmarks`: run all benchmarks, and print what they found."""

from benchmarks import latency

for line in latency.measure():
    print(line)
