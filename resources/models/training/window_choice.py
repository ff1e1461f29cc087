"""How a question finds its window: compares ways to choose among windows that were read side by side.

    python window_choice.py BOOKS MODEL [--tokens 16000] [--window 3500] [--seed 1]

An extract of a held-back book with planted facts is cut into windows. Every question is put to each of them and to none.
Prints, for each way to choose, how many answers are exactly right in the chosen window, and in how many questions any
window gives the right answer.
"""

import argparse
import random
from collections import Counter
from pathlib import Path

import torch

import conversations
import documents
import export
import facts
import skills
import tokens

QUESTIONS = {"fact": 24, "quote": 20, "continue": 20, "absent": 20}


@torch.no_grad()
def ask(model, window: list[int], texts: list[list[int]]) -> list[torch.Tensor]:
    """Log probabilities after each token of each text; the texts stand side by side behind the window."""
    ids, positions, owners = list(window), list(range(len(window))), [0] * len(window)
    for number, text in enumerate(texts):
        ids += text
        positions += range(len(window), len(window) + len(text))
        owners += [number + 1] * len(text)
    owner = torch.tensor(owners)
    mask = ((owner[:, None] == owner) | (owner == 0)) & torch.ones(len(ids), len(ids), dtype=torch.bool).tril()
    hidden = model.hidden(torch.tensor([ids]), torch.tensor(positions), mask)[0, len(window) :]
    return [model.logits(part).log_softmax(-1) for part in hidden.split([len(text) for text in texts])]


def make_questions(library, rng: random.Random, characters: int):
    """(text, [(skill, question, answer)])"""
    document = documents.extract(library, rng, characters)
    document.planted = facts.make_facts(library, rng, QUESTIONS["fact"])
    for fact in document.planted:
        facts.plant(document, [fact.sentence], rng)
    made = [(name, skills.SKILLS[name](document, library, rng)) for name, count in QUESTIONS.items() for _ in range(count)]
    return document.text(), [(name, *pair) for name, pair in made if pair]


def worths(with_window: torch.Tensor, without: torch.Tensor, that: int) -> dict[str, float]:
    """Of one window for one question, by the distributions of the first token of the answer."""
    changed = without - with_window
    best = with_window.max().item()
    return {
        "divergence(without, with)": (without.exp() * changed).sum().item(),
        "divergence(with, without)": -(with_window.exp() * changed).sum().item(),
        "probability of the first token": best - 100 * (with_window.argmax().item() == that),
        "its gain over no document": -changed[with_window.argmax()].item(),
        "improbability of That": -with_window[that].item(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("books", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--cache", type=Path, default=Path("/tmp/reader_cache"))
    parser.add_argument("--tokens", type=int, default=16000)
    parser.add_argument("--window", type=int, default=3500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    library = documents.load_library(options.books, True, options.cache)
    model, encoder = export.load(options.model), conversations.Encoder()
    text, questions = make_questions(library, random.Random(options.seed), int(options.tokens * 3.2))
    ids, blank = encoder.ids(text), encoder.ids("\n\n")
    prefix, that = [tokens.BEGIN, tokens.USER], encoder.ids(skills.ABSENT)[0]
    asked = [conversations.question_ids(encoder, question, True) for _, question, _ in questions]
    wanted = [[*encoder.ids(answer), tokens.END] for *_, answer in questions]
    without = [said[-1] for said in ask(model, prefix + blank, asked)]
    worth, right = [], []  # [window][question]
    for begin in range(0, len(ids), options.window):
        said = ask(model, prefix + ids[begin : begin + options.window] + blank,
                   [question + answer[:-1] for question, answer in zip(asked, wanted)])
        worth.append([worths(log[len(question) - 1], none, that) for log, question, none in zip(said, asked, without)])
        right.append([log[-len(answer) :].argmax(-1).tolist() == answer for log, answer in zip(said, wanted)])
    print(f"{len(ids)} tokens, {len(worth)} windows, {len(questions)} questions")
    for way in worth[0][0]:
        found = Counter()
        for number, (name, *_) in enumerate(questions):
            chosen = max(range(len(worth)), key=lambda window: worth[window][number][way])
            found[name] += right[chosen][number]
        print(f"{way}: {sum(found.values())}, {dict(found)}")
    any_window = Counter(name for number, (name, *_) in enumerate(questions) if any(of[number] for of in right))
    print(f"any window: {sum(any_window.values())}, {dict(any_window)}")


if __name__ == "__main__":
    main()
