"""The page and its JSON API. Speaks HTTP, and calls `control` for everything else."""
