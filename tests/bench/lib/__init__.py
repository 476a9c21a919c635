"""What the benchmarks are made of; tests/bench/run puts it together."""
