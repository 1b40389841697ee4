"""GPT-2 that writes a text in PyTorch: transformers' network with its cache of keys and values, always the likeliest token."""

import items
import numpy as np
import torch

PROMPT = 64
VOCABULARY = 50257


def model():
    from transformers import GPT2Config, GPT2LMHeadModel

    return GPT2LMHeadModel(GPT2Config())


def inputs() -> dict:
    return {"input_ids": np.arange(PROMPT, dtype=np.int64)[None] * 131 % VOCABULARY}


def text(network, prompt):
    """A function that writes and gives a number which tells one text from another, as ours does."""

    def write() -> float:
        with torch.inference_mode():
            tokens = network.generate(
                prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=items.WRITTEN,
                min_new_tokens=items.WRITTEN, do_sample=False, use_cache=True, pad_token_id=VOCABULARY - 1)[0, PROMPT:]
        return float(sum((place + 1) * int(token) for place, token in enumerate(tokens)) % 1_000_003)

    return write
