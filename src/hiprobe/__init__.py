"""HiProbe: finds what is abnormal in video by probing the hidden states of a frozen multimodal LLM."""

__version__ = "0.1.0"
