"""`python -m benchmarks`: run all benchmarks, and print what they found."""

from benchmarks import latency, synthetic_faces

for line in (*latency.measure(), *synthetic_faces.measure()):
    print(line)
