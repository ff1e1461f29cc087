"""Writes what PyTorch says about a GGUF file, for tests/engine/reader/ to compare.

    python golden.py reader.gguf ../../../tests/engine/reader/trained_reader_golden.txt
    python golden.py reader-beacon.gguf ../../../tests/engine/reader/beacon_reader_golden.txt --ratio 2

Lines: the text (with control tokens), its ids, then "id logit" for every 64th token behind the last position. With a ratio the
document is longer and the beacons beside the model stand in it.
"""

import argparse
from pathlib import Path

import torch

import beacon_model
import conversations
import export

DOCUMENT = (
    "The miller carried three baskets to the old bridge before dawn. Nobody in the village saw him go, for the snow lay "
    "deep and the lamps were out. The pass key is 48213. His brother waited by the well with a lantern and a silver spoon."
)
MORE = (
    " The sexton rang the small bell twice and went home. At the mill a lamp still burned, and the wheel stood in the ice. "
    "Two drovers came down from the hill with their dogs, and one of them asked for bread. The baker had none left before noon. "
    "So they sat by the fire and told of the winter in which the river froze. Then the cook brought a kettle and four cups. "
    "Nobody spoke of the bridge."
)
QUESTION = "What is the pass key?"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--ratio", type=int, default=0, help="document tokens per beacon")
    options = parser.parse_args()
    encoder, reader = conversations.Encoder(), export.read(options.model)
    document = DOCUMENT + (MORE if options.ratio else "")
    opening = conversations.opening(encoder, document, "")
    ids = opening + conversations.question_ids(encoder, QUESTION, True)
    text = f"<|begin|><|user|>{document}\\n\\n{QUESTION}<|end|><|assistant|>"
    with torch.no_grad():
        if options.ratio:
            beacons = options.model.with_name(f"{options.model.stem}.beacon.safetensors")
            model, config = beacon_model.read(beacons, reader)
            hidden, _ = model.answers(torch.tensor(ids), config["beacon_window"], options.ratio)
            logits = reader.logits(hidden[-1])
        else:
            logits = reader(torch.tensor([ids]))[0, -1]
    lines = [text, " ".join(map(str, ids))]
    lines += [f"{index} {logits[index]:.5f}" for index in range(0, len(logits), 64)]
    options.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
