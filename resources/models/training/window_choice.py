"""How a question finds its window: compares ways to choose among windows that were read side by side.

    python window_choice.py BOOKS MODEL [--documents 8] [--tokens 8000] [--window 1000] [--seed 1]

Extracts of held-back books with planted facts are cut into windows. Every question is put to each of them, to all
together, and to none. Prints, for each way to choose, how many answers are exactly right in the chosen window, and in how many questions any
window gives the right answer.
"""

import argparse
import random
from collections import Counter, defaultdict
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
def ask(model, prefix: list[int], windows: list[list[int]], texts: list[list[int]]) -> list[torch.Tensor]:
    """Log probabilities after each token of each text. The windows stand side by side behind the prefix, and the texts
    side by side behind the windows, all of which they see."""
    ids, positions, owners = list(prefix), list(range(len(prefix))), [0] * len(prefix)
    end = len(prefix) + max(map(len, windows), default=0)
    for number, window in enumerate(windows):
        ids += window
        positions += range(end - len(window), end)
        owners += [-1 - number] * len(window)
    read = len(ids)
    for number, text in enumerate(texts):
        ids += text
        positions += range(end, end + len(text))
        owners += [number + 1] * len(text)
    owner = torch.tensor(owners)
    sees = (owner[:, None] == owner) | (owner == 0) | ((owner[:, None] > 0) & (owner < 0))
    mask = sees & torch.ones(len(ids), len(ids), dtype=torch.bool).tril()
    hidden = model.hidden(torch.tensor([ids]), torch.tensor(positions), mask)[0, read:]
    return [model.logits(part).log_softmax(-1) for part in hidden.split([len(text) for text in texts])]


def make_questions(library, rng: random.Random, characters: int):
    """(text, [(skill, question, answer)])"""
    document = documents.extract(library, rng, characters)
    document.planted = facts.make_facts(library, rng, QUESTIONS["fact"])
    for fact in document.planted:
        facts.plant(document, [fact.sentence], rng)
    made = [(name, skills.SKILLS[name](document, library, rng)) for name, count in QUESTIONS.items() for _ in range(count)]
    return document.text(), [(name, *pair) for name, pair in made if pair]


def worths(with_window: torch.Tensor, without: torch.Tensor, together: torch.Tensor, that: int) -> dict[str, float]:
    """Of one window for one question, by the log probabilities of the first token of the answer."""
    changed = without - with_window
    best = with_window.max().item()
    divergence = (without.exp() * changed).sum().item()
    agreement = (together + with_window).logsumexp(0).item()
    weighted = {f"divergence + {w} * agreement(together, with)": divergence + w * agreement for w in (1, 2, 4, 8)}
    return {
        "divergence(without, with)": divergence,
        "divergence(with, without)": -(with_window.exp() * changed).sum().item(),
        "probability of the first token": best - 100 * (with_window.argmax().item() == that),
        "its gain over no document": -changed[with_window.argmax()].item(),
        "improbability of That": -with_window[that].item(),
        "probability of what all say together": with_window[together.argmax()].item(),
        "agreement(together, with)": agreement,
        **weighted,
    }


def try_document(model, library, seed: int, options, found: dict[str, Counter]) -> int:
    """Counts right answers by way and skill; the number of questions."""
    encoder = conversations.Encoder()
    text, questions = make_questions(library, random.Random(seed), int(options.tokens * 3.2))
    ids, blank = encoder.ids(text), encoder.ids("\n\n")
    prefix, that = [tokens.BEGIN, tokens.USER], encoder.ids(skills.ABSENT)[0]
    asked = [conversations.question_ids(encoder, question, True) for _, question, _ in questions]
    wanted = [[*encoder.ids(answer), tokens.END] for *_, answer in questions]
    windows = [ids[begin : begin + options.window] + blank for begin in range(0, len(ids), options.window)]
    without = [said[-1] for said in ask(model, prefix, [blank], asked)]
    together = [said[-1] for said in ask(model, prefix, windows, asked)]
    worth, right = [], []  # [window][question]
    for window in windows:
        said = ask(model, prefix, [window], [question + answer[:-1] for question, answer in zip(asked, wanted)])
        first = [log[len(question) - 1] for log, question in zip(said, asked)]
        worth.append([worths(*each, that) for each in zip(first, without, together)])
        right.append([log[-len(answer) :].argmax(-1).tolist() == answer for log, answer in zip(said, wanted)])
    for number, (name, *_) in enumerate(questions):
        for way in worth[0][0]:
            chosen = max(range(len(worth)), key=lambda window: worth[window][number][way])
            found[way][name] += right[chosen][number]
        found["any window"][name] += any(of[number] for of in right)
    print(f"seed {seed}: {len(ids)} tokens, {len(windows)} windows, {len(questions)} questions", flush=True)
    return len(questions)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("books", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--cache", type=Path, default=Path("/tmp/reader_cache"))
    parser.add_argument("--documents", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=8000)
    parser.add_argument("--window", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    library = documents.load_library(options.books, True, options.cache)
    model, found = export.load(options.model), defaultdict(Counter)
    seeds = range(options.seed, options.seed + options.documents)
    asked = sum(try_document(model, library, seed, options, found) for seed in seeds)
    print(f"{asked} questions")
    for way, counts in found.items():
        print(f"{way}: {sum(counts.values())}, {dict(counts)}")


if __name__ == "__main__":
    main()
