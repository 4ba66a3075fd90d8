"""A deterministic cross-margin perpetuals venue, for simulations and paper deployments: one code for both."""
