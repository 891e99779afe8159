"""`python -m service projects …`: projects, their settings, and these as a file."""
