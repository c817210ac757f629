"""What secure aggregation costs, beside Flower's SecAgg+ and this machine's own limits: `tools/bench/run_secagg.py`."""
