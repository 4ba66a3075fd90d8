"""Where orders go: the `Broker` protocol, the paper venue, and (later) the exchange. None knows who is asking."""
