"""The public-domain books: reading, splitting into paragraphs and sentences, the held-back tenth."""

import re
from dataclasses import dataclass, field
from pathlib import Path

SENTENCE_END = re.compile(r"(?<=[.!?])(?:[”’)]*)(?= [A-Z“‘])")
ABBREVIATION = re.compile(r"\b(?:Mr|Mrs|Ms|Dr|St|Capt|Col|Gen|Esq|Rev|Prof|No|vol|cf|viz|[A-Z])\.$")
HEADING = "# "


@dataclass
class Book:
    name: str
    paragraphs: list[str]  # headings begin with "# "
    sentences: list[list[str]] = field(default_factory=list)  # of each paragraph


def split_sentences(paragraph: str) -> list[str]:
    """The sentences of a paragraph; joined by one blank they give the paragraph again."""
    sentences, start = [], 0
    for match in SENTENCE_END.finditer(paragraph):
        if ABBREVIATION.search(paragraph, start, match.end()):
            continue
        sentences.append(paragraph[start : match.end()])
        start = match.end() + 1
    sentences.append(paragraph[start:])
    return [sentence for sentence in sentences if sentence]


def read_book(path: Path) -> Book:
    text = path.read_text(encoding="utf-8")
    paragraphs = [part.strip() for part in text.split("\n\n")]
    book = Book(path.stem, [part for part in paragraphs if part and part != "* * *"])
    book.sentences = [split_sentences(part) for part in book.paragraphs]
    return book


def book_files(folder: Path) -> tuple[list[Path], list[Path]]:
    """Files for training and files held back: every 10th book of index.tsv."""
    lines = (folder / "index.tsv").read_text(encoding="utf-8").splitlines()[1:]
    files = [folder / line.split("\t")[0] for line in lines if line]
    held_back = files[9::10]
    return [file for file in files if file not in held_back], held_back
