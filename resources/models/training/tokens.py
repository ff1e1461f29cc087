"""The reader's tokenizer: byte-level BPE, pre-tokenizer "gpt-2", merges learned from the training books.

Only words (with one blank before them) and single symbols grow together, so that digits and line feeds
are tokens of their own and a number is copied digit by digit.
"""

import argparse
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

import corpus

SPECIAL = ["<|begin|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
BEGIN, END, SYSTEM, USER, ASSISTANT = range(len(SPECIAL))
VOCABULARY = 4096
MERGES = Path(__file__).parent / "reader_merges.txt"


def byte_letters() -> list[str]:
    return sorted(pre_tokenizers.ByteLevel.alphabet())


def learn(books: Path, size: int = VOCABULARY) -> list[tuple[str, str]]:
    """The merges in their order, from all training books."""
    tokenizer = Tokenizer(models.BPE())
    grown = Regex(r" ?\p{L}+| ?[^\s\p{L}\p{N}]|\p{N}|\s")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(grown, "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(SPECIAL), initial_alphabet=byte_letters(), show_progress=False
    )
    train, _ = corpus.book_files(books)
    tokenizer.train([str(file) for file in train], trainer)
    import json

    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return [tuple(pair) if isinstance(pair, list) else tuple(pair.split(" ")) for pair in merges]


def read_merges(path: Path = MERGES) -> list[tuple[str, str]]:
    return [tuple(line.split(" ")) for line in path.read_text(encoding="utf-8").splitlines() if line]


def vocabulary(merges: list[tuple[str, str]]) -> list[str]:
    """Token texts by id: special tokens, bytes, then what the merges make."""
    texts = SPECIAL + byte_letters()
    known = set(texts)
    for left, right in merges:
        if left + right not in known:
            texts.append(left + right)
            known.add(left + right)
    return texts


def load(path: Path = MERGES) -> Tokenizer:
    merges = read_merges(path)
    ids = {text: index for index, text in enumerate(vocabulary(merges))}
    tokenizer = Tokenizer(models.BPE(vocab=ids, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("books", type=Path, help="folder with the unpacked corpus")
    merges = learn(parser.parse_args().books)
    MERGES.write_text("".join(f"{left} {right}\n" for left, right in merges), encoding="utf-8")
    print(len(merges), "merges,", len(vocabulary(merges)), "tokens")


if __name__ == "__main__":
    main()
