"""Stand-ins for the outside world that are spoken to over real sockets."""
