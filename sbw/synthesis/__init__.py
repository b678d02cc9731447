"""Makes toys from params, and describes them in tables and numbers."""
