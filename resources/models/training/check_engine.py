"""Compares the program with PyTorch on one GGUF file: token ids of texts and logits of a conversation.

    python check_engine.py EPITOME MODEL BOOKS
"""

import argparse
import json
import subprocess
from pathlib import Path

import torch

import conversations
import corpus
import export
import tokens

# By the type of the embedding. With 8-bit weights the program rounds activations to 8 bits, too, which PyTorch does not: that
# is some percent of the logits' deviation of more than 2. Whether the arithmetic is right shows a file of type f32.
TOLERANCE = {"F32": 2e-3, "F16": 2e-2, "Q8_0": 5e-1}


def ask(program: Path, *words: str) -> dict:
    return json.loads(subprocess.run([str(program), *words, "--json"], check=True, capture_output=True).stdout)


def check_tokens(program: Path, model: Path, text: str) -> None:
    ours = ask(program, "tokenize", "--model", str(model), text)["ids"]
    assert ours == tokens.load().encode(text).ids, f"other tokens for {text[:60]!r}"


def check_logits(program: Path, path: Path, text: str) -> float:
    encoder = conversations.Encoder()
    ids = conversations.opening(encoder, text, "Answer from the document only.")
    ids += conversations.question_ids(encoder, "What is said about the story?", True)
    theirs = ask(program, "logits", "--model", str(path), "--ids", ",".join(map(str, ids)))["logits"]
    with torch.no_grad():
        ours = export.read(path)(torch.tensor([ids]))[0, -1]
    return (ours - torch.tensor(theirs)).abs().max().item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("books", type=Path)
    options = parser.parse_args()
    _, held_back = corpus.book_files(options.books)
    kind = next(t for t in export.gguf.GGUFReader(str(options.model)).tensors if t.name == "token_embd.weight")
    for file in held_back:
        text = file.read_text(encoding="utf-8")
        check_tokens(options.program, options.model, text[20000:40000])
        difference = check_logits(options.program, options.model, text[5000:7000])
        limit = TOLERANCE[kind.tensor_type.name]
        print(f"{file.stem}: tokens equal, logits differ by at most {difference:.2e} (limit {limit})", flush=True)
        assert difference < limit


if __name__ == "__main__":
    main()
