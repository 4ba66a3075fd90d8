"""The replay loop, run manifests, metrics, reports and comparisons."""
