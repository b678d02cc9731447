"""SAEs on a real language model: a pipeline of its own, `make llm`."""
