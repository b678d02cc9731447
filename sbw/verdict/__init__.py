"""From curves to the L0 that is right."""
