"""`python -m service webhooks …`: addresses of other systems that a project's events are posted to."""
