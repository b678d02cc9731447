"""Which L0 is right? Toy models, SAEs and the metrics that tell a right L0 from a wrong one."""
