class ServerError(Exception):
    """A server or program of the embedded default could not be started, or ended by itself."""
