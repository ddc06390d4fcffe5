"""Side-by-side measurements: `python -m benchmarks.NAME`. Results and how to repeat them: README.md."""
