"""The trust boundary: validate, check risk, record, execute. Nothing else may call a broker's write methods."""
