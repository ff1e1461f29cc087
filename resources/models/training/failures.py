"""Where answers that are not exact leave the right way: how far into the answer, and behind how many words that stand in
both places.

    python failures.py BOOKS reader.gguf [--length 4096] [--rows 45]

An answer is followed with the right tokens before each of its tokens, as in evaluate.py. Its first wrong token is looked up
in the document: how many tokens before it there are those before it here, too. Few mean that the reader did not compare what
it could have, many that it could not tell two places apart.
"""

import argparse
import random
from collections import Counter
from pathlib import Path

import torch

import conversations
import documents
import export

LONGEST = 12  # tokens that are compared


def shared_context(document: list[int], before: list[int], token: int) -> int:
    """The most tokens at the end of `before` that also stand in front of `token` in the document."""
    best = 0
    for place in (i for i, each in enumerate(document) if each == token):
        count = 0
        while count < min(LONGEST, place, len(before)) and document[place - 1 - count] == before[-1 - count]:
            count += 1
        best = max(best, count)
    return best


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("books", type=Path)
    parser.add_argument("model", type=Path, help="checkpoint.pt or a GGUF file")
    parser.add_argument("--cache", type=Path, default=Path("/tmp/reader_cache"))
    parser.add_argument("--length", type=int, default=4096)
    parser.add_argument("--rows", type=int, default=45)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    library, encoder = documents.load_library(options.books, True, options.cache), conversations.Encoder()
    model = export.load(options.model)
    recipe = conversations.Recipe(
        options.length, {"continue": 1, "quote": 1}, random_share=0.0,
        document_share=1 - 160 / options.length, cut_share=0.0,
    )
    asked, failed, contexts = Counter(), Counter(), Counter()
    for row in range(options.rows):
        rng = random.Random(f"evaluation 11 {options.length} {row}")
        ids, _, answers = conversations.make_row(library, encoder, rng, recipe)
        hidden = model.hidden(torch.tensor([ids]))[0]
        document = ids[: answers[0][1]]  # and the first question, which is short
        for skill, first, end in answers:
            asked[skill] += 1
            said = model.logits(hidden[first - 1 : end - 1]).argmax(-1).tolist()
            wrong = next((i for i, token in enumerate(said) if token != ids[first + i]), None)
            if wrong is None:
                continue
            failed[skill, "within the first three tokens" if wrong < 3 else "after them"] += 1
            shared = shared_context(document, ids[: first + wrong], said[wrong])
            contexts[skill, "four and more" if shared >= 4 else "fewer"] += 1
    for skill, count in asked.items():
        print(f"{skill}: {count} asked")
        for (name, part), wrong in sorted(failed.items()):
            if name == skill:
                print(f"  wrong {part}: {wrong}")
        for (name, shared), wrong in sorted(contexts.items()):
            if name == skill:
                print(f"  behind {shared} tokens that stand in both places: {wrong}")


if __name__ == "__main__":
    main()
