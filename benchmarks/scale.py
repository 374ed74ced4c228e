"""`python -m benchmarks.scale`: what many workers, many jobs and a second worker cost."""

from benchmarks import long_list, many_workers, two_workers

if __name__ == "__main__":
    for benchmark in (long_list, two_workers, many_workers):
        for line in benchmark.measure():
            print(line, flush=True)
