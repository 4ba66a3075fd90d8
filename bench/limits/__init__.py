"""The least that a chore can take: what lies below it, with nothing of the product on top. One script each."""
