"""`python -m service doctor`: check a setup before it goes live; also what other commands look up in the DNS."""
