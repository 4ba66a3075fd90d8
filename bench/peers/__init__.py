"""The same job done by other backtesters, and by plain Python as the limit: one script each.

Each runs in a virtual environment of its own, as `python peer_NAME.py FOLDER BARS`, with this folder first on its
path. It may import `job` and what is pinned for it, nothing of the product.
"""
