"""Writes what PyTorch says about a GGUF file, for tests/engine/reader/tst_trained_reader.cpp to compare.

    python golden.py reader.gguf ../../../tests/engine/reader/trained_reader_golden.txt

Lines: the text (with control tokens), its ids, then "id logit" for every 64th token behind the last position.
"""

import argparse
from pathlib import Path

import torch

import conversations
import export

DOCUMENT = (
    "The miller carried three baskets to the old bridge before dawn. Nobody in the village saw him go, for the snow lay "
    "deep and the lamps were out. The pass key is 48213. His brother waited by the well with a lantern and a silver spoon."
)
QUESTION = "What is the pass key?"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("output", type=Path)
    options = parser.parse_args()
    encoder = conversations.Encoder()
    ids = conversations.opening(encoder, DOCUMENT, "") + conversations.question_ids(encoder, QUESTION, True)
    text = f"<|begin|><|user|>{DOCUMENT}\\n\\n{QUESTION}<|end|><|assistant|>"
    with torch.no_grad():
        logits = export.read(options.model)(torch.tensor([ids]))[0, -1]
    lines = [text, " ".join(map(str, ids))]
    lines += [f"{index} {logits[index]:.5f}" for index in range(0, len(logits), 64)]
    options.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
