"""Which L0 of a real language model is right? A pipeline of its own, `make llm-sweep`."""
