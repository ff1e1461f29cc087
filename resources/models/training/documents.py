"""Documents to ask about: extracts from books, sentences of random words, and the words that make good keywords."""

import pickle
import random
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import corpus

WORD = re.compile(r"[A-Za-zÀ-ÿ]+")


@dataclass
class Document:
    paragraphs: list[list[str]]  # sentences of each
    planted: list = field(default_factory=list)  # facts, see facts.py
    families: list = field(default_factory=list)  # what many of them have in common, see facts.py
    marked: bool = True  # headings begin with "# "

    def text(self) -> str:
        return "\n\n".join(" ".join(sentences) for sentences in self.paragraphs)

    def sentences(self) -> list[tuple[str, str, int]]:
        """(blank or nothing, sentence, paragraph): with the blank before it as it stands in the text."""
        return [
            (" " if place else "", sentence, index)
            for index, paragraph in enumerate(self.paragraphs)
            for place, sentence in enumerate(paragraph)
            if not self.is_heading(index)
        ]

    def is_heading(self, index: int) -> bool:
        paragraph = self.paragraphs[index]
        return len(paragraph) == 1 and getattr(paragraph[0], "heading", False)


class Heading(str):
    """A sentence that is a heading."""

    heading = True


@dataclass
class Library:
    """All that documents and questions are made from; one for training, one for the held-back books."""

    books: list[corpus.Book]
    counts: Counter  # of words in the training books, as written
    words: list[str]  # lower-case words that occur at least 20 times
    names: list[str]  # words nearly always written with a capital

    def rare(self, word: str) -> bool:
        """Whether a question may rest on this word."""
        return len(word) >= 4 and self.counts[word] < 4000


def count_words(files: list[Path]) -> Counter:
    counts = Counter()
    for file in files:
        counts.update(WORD.findall(file.read_text(encoding="utf-8")))
    return counts


def load_library(folder: Path, held_back: bool, cache: Path) -> Library:
    """`cache` (a folder) keeps the counts and the split books, which take a minute to make."""
    stored = cache / ("held_back.pickle" if held_back else "training.pickle")
    if stored.exists():
        return pickle.loads(stored.read_bytes())
    train, kept = corpus.book_files(folder)
    counts = count_words(train)
    words = sorted(w for w, n in counts.items() if n >= 20 and w.islower() and len(w) > 1)
    names = sorted(
        w for w, n in counts.items()
        if n >= 8 and len(w) > 2 and w[0].isupper() and w[1:].islower() and counts[w.lower()] * 20 < n
    )
    books = [corpus.read_book(file) for file in (kept if held_back else train)]
    library = Library(books, counts, words, names)
    cache.mkdir(parents=True, exist_ok=True)
    stored.write_bytes(pickle.dumps(library))
    return library


def extract(library: Library, rng: random.Random, characters: int) -> Document:
    """Consecutive paragraphs of one book, about `characters` long, without its headings."""
    book = rng.choice(library.books)
    index = rng.randrange(len(book.paragraphs))
    paragraphs, length = [], 0
    while length < characters:
        if index >= len(book.paragraphs):
            index = 0
        if not book.paragraphs[index].startswith(corpus.HEADING):
            sentences = book.sentences[index]
            first = rng.randrange(len(sentences)) if not paragraphs else 0
            taken = []
            for sentence in sentences[first:]:
                if length + len(sentence) > characters + 100:
                    length = characters
                    break
                taken.append(sentence)
                length += len(sentence) + 1
            if taken:
                paragraphs.append(taken)
        index += 1
    return Document(paragraphs or [["It was so."]])


def random_words(library: Library, rng: random.Random, characters: int) -> Document:
    """Sentences without sense: nothing but the context tells what follows. In half of the documents some words come
    again and again, mostly at the beginning of a sentence, so that only the place tells one from the other."""
    paragraphs, length = [], 0
    recurring = [recurring_words(library, rng) for _ in range(rng.randint(1, 5))] if rng.random() < 0.5 else []
    while length < characters:
        paragraph = []
        for _ in range(rng.randint(1, 6)):
            words = [
                rng.choice(library.names if rng.random() < 0.15 else library.words)
                for _ in range(rng.randint(5, 14))
            ]
            if recurring and rng.random() < 0.3:
                words.insert(rng.randrange(len(words)), rng.choice(recurring))
            if recurring and rng.random() < 0.6:
                words.insert(0, rng.choice(recurring))
            sentence = " ".join(words)
            paragraph.append(sentence[0].upper() + sentence[1:] + rng.choice(".....!?"))
            length += len(sentence) + 2
        paragraphs.append(paragraph)
    return Document(paragraphs)


def recurring_words(library: Library, rng: random.Random) -> str:
    """One to three words: what a person of a novel is called."""
    words = [rng.choice(library.names) if rng.random() < 0.5 else invented_word(rng) for _ in range(rng.choice((1, 1, 2)))]
    return " ".join([rng.choice(library.words), *words] if rng.random() < 0.2 else words)


def rename(document: Document, library: Library, rng: random.Random) -> None:
    """Gives the three most frequent persons and places invented names, which take many tokens."""
    counts, names = Counter(WORD.findall(document.text())), set(library.names)
    frequent = [word for word, count in counts.most_common(400) if word in names and count > 1][:3]
    new = {word: invented_word(rng) for word in frequent}
    if new:
        old = re.compile(r"\b(?:" + "|".join(new) + r")\b")
        document.paragraphs = [
            [old.sub(lambda match: new[match[0]], sentence) for sentence in paragraph] for paragraph in document.paragraphs
        ]


ONSETS = "b br c ch cl d dr f fl g gr h j k l m n p pr qu r s sh st t th tr v w z".split()
VOWELS = "a e i o u ai ea ee oo ou".split()
ACCENTS = str.maketrans("aeiou", "áéíóú")
CODAS = "n r l m s t ck nd rt x th ll d".split() + ["", "", ""]


def invented_word(rng: random.Random) -> str:
    """A name that no book has; some have an accent."""
    syllables = [rng.choice(ONSETS) + rng.choice(VOWELS) + rng.choice(CODAS) for _ in range(rng.randint(2, 3))]
    if rng.random() < 0.25:
        place = rng.randrange(len(syllables))
        syllables[place] = syllables[place].translate(ACCENTS)
    return "".join(syllables).capitalize()


def roman(number: int) -> str:
    signs = ((100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"))
    text = ""
    for value, sign in signs:
        while number >= value:
            text, number = text + sign, number - value
    return text


def add_headings(document: Document, library: Library, rng: random.Random) -> None:
    """Cuts the document into two to eight numbered sections."""
    count = min(rng.randint(2, 8), len(document.paragraphs))
    places = [0, *sorted(rng.sample(range(1, len(document.paragraphs)), count - 1))] if count > 1 else [0]
    number, kind, style = rng.randint(1, 30), rng.choice(("Chapter", "Chapter", "Section", "Part")), rng.randrange(3)
    document.marked = rng.random() < 0.5
    parts: list[list[str]] = []
    for index, paragraph in enumerate(document.paragraphs):
        if index in places:
            text = f"{kind} {roman(number) if style else number}"
            if style == 2:
                text += ": " + " ".join(w.capitalize() for w in rng.sample(library.words, rng.randint(1, 3)))
            parts.append([Heading(corpus.HEADING + text if document.marked else text)])
            number += 1
        parts.append(paragraph)
    document.paragraphs = parts
