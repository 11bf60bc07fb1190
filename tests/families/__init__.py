"""Toy checkpoints of the multimodal LLM families: real configs cut small, random weights, no download."""
