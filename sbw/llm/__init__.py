"""SAEs on a real language model: its weights and texts, its activations, what SAEs make of them."""
