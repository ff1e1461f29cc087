"""KVzip asks a tokenizer for the chat template's ends and for its instructions. The golden models' tokenizer files are
not what transformers loads, and the words do not matter here: fixed ids stand for them."""

import torch

PREFIX = [5, 6, 7, 8]  # as many as KVzip's attention sinks, so that both protect the same rows
SUFFIX = [13, 14]
FIRST = [21, 22, 23, 24, 25]  # "Repeat the previous context exactly."
LATER = [31, 32, 33, 34, 35, 36]  # "Repeat the part ... starting with"


class StandInTokenizer:
    chat_template = "present"

    @classmethod
    def from_pretrained(cls, _name):
        return cls()

    @staticmethod
    def apply_chat_template(messages, **_options):
        return "<prefix>" + messages[0]["content"] + "<suffix>"

    @staticmethod
    def encode(text, **_options):
        ids = {
            "<prefix>": PREFIX,
            "<suffix>": SUFFIX,
            "\n\nRepeat the previous context exactly.": FIRST,
            "\n\nRepeat the part of the previous context exactly, starting with": LATER,
        }[text]
        return torch.tensor([ids])
