"""HTTP APIs of mail providers."""
