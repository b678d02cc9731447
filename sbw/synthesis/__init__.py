"""Makes toys from params, and says what they are."""
