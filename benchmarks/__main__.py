"""`python -m benchmarks`: run all benchmarks, and print what they found."""

from benchmarks import latency, sampling_speed, synthetic_faces, whole_jobs

for benchmark in (latency, synthetic_faces, sampling_speed, whole_jobs):
    for line in benchmark.measure():
        print(line, flush=True)
