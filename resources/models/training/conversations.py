"""Training rows: a document and several questions about it, as token ids with a weight for each next token."""

import random
from dataclasses import dataclass

import numpy as np

import facts
import tokens
from documents import Document, Library, add_headings, extract, random_words, rename
from skills import SKILLS

SYSTEM_LINES = [
    "You read a document and answer from it.", "Answer from the document only.",
    "You are a helpful assistant.", "Quote the document exactly.",
]


@dataclass
class Recipe:
    """What a stage of the training is made of; see curriculum.py."""

    length: int = 256
    skills: dict[str, float] = None  # name -> share of the questions
    random_share: float = 0.25  # documents of random words
    document_share: float = 0.5  # of the length
    extra_keys: float = 0.0  # share of the facts whose value is certain to be a number or code
    family_share: float = 0.0  # of the documents have many facts that differ in their owners alone
    renamed_share: float = 0.0  # of the extracts have invented names
    text_weight: float = 0.1  # of predicting the document itself, for a tenth of its tokens
    cut_share: float = 0.35  # of the long answers end after a few tokens: the rest is mere copying
    cut_tokens: tuple[int, int] = (2, 6)
    # Of the first tokens of an answer, where its place has to be found; the others, mere copying, have 1.
    opening_weights: tuple[float, ...] = (3.0, 4.0, 2.0)
    fork_weight: float = 1.0  # of tokens behind three that go on otherwise elsewhere in the document


def make_document(library: Library, rng: random.Random, recipe: Recipe, characters: int) -> Document:
    source = random_words if rng.random() < recipe.random_share else extract
    wanted = 0
    if rng.random() < 0.75 and recipe.skills.get("fact"):
        wanted = max(1, round(rng.uniform(0.3, 1.5) * characters / 300))
    families, apart = [], 0.3
    if wanted and rng.random() < recipe.family_share:
        wanted = max(1, round(rng.uniform(0.5, 2.2) * characters / 300))
        planted, families = facts.make_families(library, rng, min(wanted, 90), recipe.extra_keys)
        apart = rng.choice((0.3, 1.0))
    else:
        planted = facts.make_facts(library, rng, min(wanted, 24), recipe.extra_keys)
    characters -= sum(len(fact.sentence) + 1 for fact in planted)
    document = source(library, rng, max(60, characters))
    if source is extract and rng.random() < recipe.renamed_share:
        rename(document, library, rng)
    if recipe.skills.get("section") and rng.random() < 0.3:
        add_headings(document, library, rng)
    for fact in planted:
        facts.plant(document, [fact.sentence], rng, apart)
    if planted and rng.random() < 0.15:
        sentences, fact = facts.several_values(library, rng)
        facts.plant(document, sentences, rng)
        planted.append(fact)
    document.planted, document.families = planted, families
    return document


class Encoder:
    def __init__(self):
        self.tokenizer = tokens.load()

    def ids(self, text: str) -> list[int]:
        return self.tokenizer.encode(text).ids


def opening(encoder: Encoder, document: str, system: str) -> list[int]:
    """The ids of everything up to the first question: the prefix, the document and a blank line."""
    ids = [tokens.BEGIN]
    if system:
        ids += [tokens.SYSTEM, *encoder.ids(system), tokens.END]
    return [*ids, tokens.USER, *encoder.ids(document), *encoder.ids("\n\n")]


def continuations(ids: list[int]) -> dict[tuple, set[int]]:
    """What stands behind each three tokens."""
    behind = {}
    for place in range(3, len(ids)):
        behind.setdefault(tuple(ids[place - 3 : place]), set()).add(ids[place])
    return behind


def weights_of(answer: list[int], recipe: Recipe, behind: dict[tuple, set[int]]) -> list[float]:
    """How much each token of an answer counts: where a place has to be found, and where the way forks."""
    marks = [*recipe.opening_weights, *[1.0] * len(answer)][: len(answer)]
    for place in range(len(recipe.opening_weights), len(answer)):
        if len(behind.get(tuple(answer[place - 3 : place]), ())) > 1:
            marks[place] = recipe.fork_weight
    return marks


def question_ids(encoder: Encoder, question: str, first: bool) -> list[int]:
    head = [] if first else [tokens.USER]
    return [*head, *encoder.ids(question), tokens.END, tokens.ASSISTANT]


def make_row(library: Library, encoder: Encoder, rng: random.Random, recipe: Recipe):
    """A row with at least one answer, without which it would teach nothing; see try_row."""
    for _ in range(100):
        row = try_row(library, encoder, rng, recipe)
        if row and row[2]:
            return row
    raise ValueError(f"No row of {recipe.length} tokens with an answer could be made: {recipe}")


def try_row(library: Library, encoder: Encoder, rng: random.Random, recipe: Recipe):
    """(ids, weights, answers), or None where the document is too long: ids and weights are recipe.length long,
    weights[i] is that of predicting ids[i + 1]; answers lists (skill, first, last + 1) of the answers' places in ids."""
    characters = int(recipe.length * recipe.document_share * 3.3 * rng.uniform(0.6, 1.5))
    document = make_document(library, rng, recipe, characters)
    system = rng.choice(SYSTEM_LINES) if rng.random() < 0.3 else ""
    ids = opening(encoder, document.text(), system)
    if len(ids) > recipe.length * 0.9:
        return None
    behind = continuations(ids)
    weights = [recipe.text_weight if rng.random() < 0.1 else 0.0 for _ in ids]
    names, shares = zip(*recipe.skills.items())
    first, misses, answers = True, 0, []
    while misses < 6 and recipe.length - len(ids) > 12:
        name = rng.choices(names, shares)[0]
        made = SKILLS[name](document, library, rng)
        if made is None:
            misses += 1
            continue
        question = question_ids(encoder, made[0], first)
        answer = [*encoder.ids(made[1]), tokens.END]
        if len(answer) > recipe.cut_tokens[1] and rng.random() < recipe.cut_share:
            answer = answer[: rng.randint(*recipe.cut_tokens)]
        room = recipe.length - len(ids) - len(question)
        if room < min(len(answer), 40) or (name != "repeat" and room < len(answer)):
            misses += 1
            continue
        answer = answer[:room]
        answers.append((name, len(ids) + len(question), len(ids) + len(question) + len(answer)))
        ids += question + answer
        # weights[i] belongs to ids[i + 1]: the assistant's mark predicts the first token of the answer.
        weights += [0.0] * (len(question) - 1) + weights_of(answer, recipe, behind) + [0.0]
        first = False
    weights = weights[: len(ids)]
    padding = recipe.length - len(ids)
    return ids + [tokens.END] * padding, weights + [0.0] * (recipe.length - len(weights)), answers


def make_batch(library: Library, encoder: Encoder, seed: int, step: int, recipe: Recipe, rows: int):
    """(ids, weights) as arrays (rows, length); the same for the same seed and step."""
    made = [make_row(library, encoder, random.Random(f"{seed} {step} {row}"), recipe) for row in range(rows)]
    return np.array([row[0] for row in made], np.int64), np.array([row[1] for row in made], np.float32)
