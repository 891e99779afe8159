"""Send SMS by the operator's webhook."""
