"""`python -m service users …`: users of a project, one by one and as files."""
