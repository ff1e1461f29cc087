"""Questions made by program from a document's text. Each skill gives (question, answer) or nothing if the text has no
room for it. Answers repeat the document's characters exactly, with the blank before them."""

import random
import re

import facts
from documents import WORD, Document, Library, invented_word

ABSENT = "That is not in this document."

ABOUT_TWO = [
    "What is said about {a} and {b}?", "What is said about {a} and {b}?", "What does the text say about {a} and {b}?",
    "Which sentence mentions {a} and {b}?", "Quote the sentence about {a} and {b}.", "Where are {a} and {b} mentioned?",
    "What happens with {a} and {b}?",
]
ABOUT_ONE = [
    "What is said about {a}?", "What is said about {a}?", "What does the text say about {a}?",
    "Which sentence mentions {a}?", "Quote the sentence about {a}.", "Where is {a} mentioned?",
]
CONTINUE = [
    "Continue: “{q}”", "Continue: “{q}”", "Continue the quotation: “{q}”", "How does this go on: “{q}”", "What comes after “{q}”",
    "“{q}”", "Please continue the sentence “{q}”", "What comes after “{q}”?", "How does “{q}” continue?", 'Continue: "{q}"', "What follows “{q}”?",
    'What follows "{q}"?', 'What follows "{q}"?',
]
BLANK = ["Fill in the blank: “{q}”", "Fill in the blank: “{q}”", "Which word is missing: “{q}”"]
SECTION = ["In which {kind} is “{q}”?", "In which {kind} does the text say “{q}”?", "Where is “{q}”?"]
SECTION_WORD = ["In which {kind} is {q} mentioned?", "Which {kind} mentions {q}?"]


def keywords(sentence: str, library: Library) -> list[str]:
    """Rare words of a sentence, less its first (whose capital says nothing), each once."""
    words = WORD.findall(sentence)[1:]
    return [word for word in dict.fromkeys(words) if library.rare(word)]


def occurrences(word: str, sentences: list) -> int:
    return sum(word in WORD.findall(sentence) for _, sentence, _ in sentences)


def inflection_dropped(word: str, rng: random.Random) -> str:
    for ending in ("ing", "ed", "es", "s"):
        if word.islower() and word.endswith(ending) and len(word) > len(ending) + 3:
            return word[: -len(ending)] if rng.random() < 0.1 else word
    return word


def lowered(word: str, rng: random.Random) -> str:
    """Few people type capitals in a question."""
    return word.lower() if rng.random() < 0.4 else word


def keyword_question(document: Document, library: Library, rng: random.Random):
    sentences, text = document.sentences(), document.text()
    ambiguous = rng.random() < 0.5
    for attempt in range(14):
        blank, sentence, _ = rng.choice(sentences)
        if not 12 <= len(sentence) <= 300:
            continue
        if ambiguous and attempt < 8 and text.count(" ".join(sentence.split(" ")[:2])) < 2:
            continue
        candidates = keywords(sentence, library)
        if len(candidates) < 2:
            continue
        pair = rng.sample(candidates, 2)
        asked = {word.lower() for word in pair}
        both = sum(asked <= set(WORD.findall(other.lower())) for _, other, _ in sentences)
        if both != 1:
            continue
        if occurrences(pair[0], sentences) == 1 and rng.random() < 0.4:
            question = rng.choice(ABOUT_ONE).format(a=lowered(inflection_dropped(pair[0], rng), rng))
        else:
            first, second = (lowered(inflection_dropped(word, rng), rng) for word in pair)
            question = rng.choice(ABOUT_TWO).format(a=first, b=second)
        return question, blank + sentence
    return None


def continued(document: Document, library: Library, rng: random.Random):
    """In half of the questions the two last words of the quotation stand elsewhere too, if the text has such a place."""
    sentences, text = document.sentences(), document.text()
    ambiguous = rng.random() < 0.5
    for attempt in range(14):
        _, sentence, _ = rng.choice(sentences)
        words = sentence.split(" ")
        if len(words) < 6:
            continue
        if rng.random() < 0.4:
            first, last = 0, max(4, len(words) // 2)
        else:
            first = rng.randrange(len(words) - 4)
            last = min(first + rng.randint(3, 9), len(words) - 1)
        if ambiguous and attempt < 8 and text.count(" ".join(words[last - 2 : last]) + " ") < 2:
            continue
        quote = " ".join(words[first:last])
        tail = " " + " ".join(words[last - min(3, last - first) : last]) + " "
        if text.count(tail.strip()) != 1 or len(sentence) > 300:
            continue
        return rng.choice(CONTINUE).format(q=quote), " " + " ".join(words[last:])
    return None


def filled_blank(document: Document, library: Library, rng: random.Random):
    sentences, text = document.sentences(), document.text()
    for _ in range(8):
        _, sentence, _ = rng.choice(sentences)
        words = sentence.split(" ")
        places = [
            i for i in range(3, len(words) - 2)
            if words[i].isalnum() and (words[i].isdigit() or words[i][0].isupper() or library.rare(words[i]))
        ]
        if not places:
            continue
        place = rng.choice(places)
        left = words[max(0, place - rng.randint(3, 7)) : place]
        right = words[place + 1 : place + 1 + rng.randint(2, 6)]
        if text.count(" ".join(left[-3:])) != 1:
            continue
        return rng.choice(BLANK).format(q=" ".join([*left, "____", *right])), " " + words[place]
    return None


def section_of(document: Document, library: Library, rng: random.Random):
    headings = [index for index in range(len(document.paragraphs)) if document.is_heading(index)]
    sentences, text = document.sentences(), document.text()
    if len(headings) < 2:
        return None
    for _ in range(8):
        _, sentence, paragraph = rng.choice(sentences)
        above = [index for index in headings if index < paragraph]
        words = sentence.split(" ")
        if not above or len(words) < 5:
            continue
        heading = document.paragraphs[above[-1]][0]
        title = heading.removeprefix("# ")
        answer = (" " if document.marked else "") + title
        kind = rng.choice((title.split(" ")[0].lower(), title.split(" ")[0].lower(), "chapter", "section"))
        unique = [w for w in keywords(sentence, library) if occurrences(w, sentences) == 1]
        if unique and rng.random() < 0.4:
            return rng.choice(SECTION_WORD).format(kind=kind, q=rng.choice(unique)), answer
        first = rng.randrange(len(words) - 3)
        quote = " ".join(words[first : first + rng.randint(3, 8)])
        if text.count(quote) == 1:
            return rng.choice(SECTION).format(kind=kind, q=quote), answer
    return None


def planted(document: Document, library: Library, rng: random.Random):
    if not document.planted:
        return None
    fact = document.planted.pop(rng.randrange(len(document.planted)))
    if fact.beginning and rng.random() < 0.4:
        return rng.choice(CONTINUE).format(q=fact.beginning), fact.answer + fact.ending
    return rng.choice(fact.questions), fact.answer


def absent(document: Document, library: Library, rng: random.Random):
    """Something asked in the words of another skill that the document does not hold."""
    text = document.text()

    def missing() -> str:
        for _ in range(20):
            kind = rng.random()
            pool = library.names if kind < 0.3 else library.words
            word = rng.choice(pool) if kind < 0.9 else invented_word(rng)
            if len(word) >= 4 and word.lower() not in text.lower():
                return word
        return "Quaxoluth"

    chance = rng.random()
    if chance < 0.2:
        return rng.choice(ABOUT_TWO).format(a=missing(), b=missing()), ABSENT
    if chance < 0.5:
        return rng.choice(ABOUT_ONE).format(a=missing()), ABSENT
    if chance < 0.9:
        for _ in range(10):
            near = document.families and rng.random() < 0.7
            pattern, shared = rng.choice(document.families) if near else (rng.choice(facts.PATTERNS), None)
            fact = facts.fill(pattern, library, rng, shared)
            if re.search(rf"\b{re.escape(fact.owner)}\b", text) or fact.sentence.split(" is ")[0] in text:
                continue
            if fact.owner in fact.beginning and rng.random() < 0.5:
                return rng.choice(CONTINUE).format(q=fact.beginning), ABSENT
            if fact.owner in " ".join(fact.questions):
                return rng.choice([q for q in fact.questions if fact.owner in q]), ABSENT
        return None
    quote = " ".join(rng.choice(library.words) for _ in range(rng.randint(4, 8)))
    return rng.choice(CONTINUE[:7]).format(q=quote), ABSENT


def repeated(document: Document, library: Library, rng: random.Random):
    """The document again, from its beginning, which is also what KVzip asks."""
    text = document.text()
    if rng.random() < 0.5 or len(text) < 200:
        return "Repeat the previous context exactly.", text
    words = text.split(" ")
    start = rng.randrange(len(words) // 2)
    opening = " ".join(words[start : start + 8])
    if text.count(opening) != 1 or "\n" in opening:
        return "Repeat the previous context exactly.", text
    rest = " ".join(words[start : start + 8 + 150])
    return f"Repeat the part of the previous context exactly, starting with “{opening}”", " " + rest


SKILLS = {
    "quote": keyword_question, "continue": continued, "fact": planted, "blank": filled_blank,
    "section": section_of, "absent": absent, "repeat": repeated,
}
