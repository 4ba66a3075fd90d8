"""How fast the product is, beside peers that do the same job and beside the bare limits. No room of the product.

`make bench` runs everything and prints the tables; docs/performance.md says how to read them.
"""
