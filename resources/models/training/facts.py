"""Facts with an owner and a value, planted into documents, and the questions for them."""

import random
from dataclasses import dataclass

from documents import Document, Library, invented_word


@dataclass
class Fact:
    sentence: str
    questions: list[str]
    answer: str  # with its leading blank, as it stands in the sentence
    owner: str
    beginning: str = ""  # of the sentence up to the value, without the blank between
    ending: str = ""  # of the sentence behind the value


def name(library: Library, rng: random.Random) -> str:
    return rng.choice(library.names) if rng.random() < 0.7 else invented_word(rng)


def number(rng: random.Random) -> str:
    digits = rng.choice((2, 3, 4, 4, 5, 5, 5, 6, 7, 7))
    return str(rng.randint(10 ** (digits - 1), 10**digits - 1))


def value(kind: str, library: Library, rng: random.Random) -> str:
    if kind == "name":
        return name(library, rng)
    if kind == "word":
        return rng.choice(library.words)
    if kind == "year":
        return str(rng.randint(1400, 2030))
    if kind == "code":
        letters = "".join(rng.choice("ABCDEFGHKLMNPRSTUVWXYZ") for _ in range(rng.randint(1, 3)))
        return letters + "-" + number(rng)
    if kind == "pair":
        return rng.choice(library.words) + "-" + number(rng)
    if kind == "date":
        months = "January February March April May June July August September October November December".split()
        return f"{rng.randint(1, 28)} {rng.choice(months)} {rng.randint(1700, 2025)}"
    return number(rng)


# (sentence, questions, kind of value); {k} is the owner, {v} the value, {w} a thing, {m} a number that can be the owner,
# {o} first, second and so on.
PATTERNS = [
    ("The pass key is {v}. Remember it. {v} is the pass key.", ["What is the pass key?", "What is the pass key? The pass key is"], "number"),
    ("The passkey is {v}.", ["What is the passkey?"], "number"),
    ("The secret code is {v}.", ["What is the secret code?", "Tell me the secret code."], "code"),
    ("The special magic number for {w} is: {v}.", ["What is the special magic number for {w}?", "What is the magic number for {w} mentioned in the text?"], "number"),
    ("One of the special magic numbers for {w} is: {v}.", ["What is the special magic number for {w}?"], "number"),
    ("The pass key for {k} is {v}.", ["What is the pass key for {k}?"], "number"),
    ("The {w} of {k} is {v}.", ["What is the {w} of {k}?", "What is {k}’s {w}?"], "word"),
    ("The {w} of {k} is {v}.", ["What is the {w} of {k}?"], "number"),
    ("The {w} is {v}.", ["What is the {w}?"], "number"),
    ("{k} lives in {v}.", ["Where does {k} live?", "In which place does {k} live?"], "name"),
    ("{k} was born in {v}.", ["When was {k} born?", "In which year was {k} born?"], "year"),
    ("{k} was born in {v}.", ["Where was {k} born?"], "name"),
    ("{k} died on {v}.", ["When did {k} die?"], "date"),
    ("{k} works as a {v}.", ["What does {k} work as?", "What is the work of {k}?"], "word"),
    ("{k} is married to {v}.", ["Who is married to {k}?", "To whom is {k} married?"], "name"),
    ("The favourite {w} of {k} is {v}.", ["What is the favourite {w} of {k}?", "What is {k}’s favourite {w}?"], "word"),
    ("The capital of {k} is {v}.", ["What is the capital of {k}?"], "name"),
    ("The city of {k} has {v} inhabitants.", ["How many inhabitants does {k} have?"], "number"),
    ("The room of {k} is number {v}.", ["What is the number of the room of {k}?", "Which room has {k}?"], "number"),
    ("The telephone number of {k} is {v}.", ["What is the telephone number of {k}?"], "number"),
    ("{k} paid {v} pounds for the {w}.", ["How much did {k} pay for the {w}?", "How many pounds did {k} pay?"], "number"),
    ("The meeting was chaired by {v}.", ["Who chaired the meeting?"], "name"),
    ("The letter to {k} was signed by {v}.", ["Who signed the letter to {k}?"], "name"),
    ("The report on {w} was written by {v}.", ["Who wrote the report on {w}?"], "name"),
    ("{w}: {v}", ["What is the value for {w}?", "What is given for {w}?"], "number"),
    ("{k}: {v}", ["What is given for {k}?", "What stands beside {k}?"], "word"),
    ("{k} | {v} | {n}", ["What stands beside {k} in the table?"], "word"),
    ("The {w} was sold to {v} in the end.", ["To whom was the {w} sold?", "Who bought the {w}?"], "name"),
    ("The {v} lies in drawer {m}.", ["What lies in drawer {m}?", "What is in drawer {m}?"], "word"),
    ("The lock of gate {m} was made in {v}.", ["Where was the lock of gate {m} made?"], "name"),
    ("Ticket {m} belongs to {v}.", ["To whom does ticket {m} belong?", "Who has ticket {m}?"], "name"),
    ("The price of number {m} is {v}.", ["What is the price of number {m}?"], "number"),
    ("The password of {k} is {v}.", ["What is the password of {k}?"], "pair"),
    ("{k} keeps the {w} in the {v}.", ["Where does {k} keep the {w}?", "Where is the {w} of {k}?"], "word"),
    ("The guest in cabin {m} is {v}.", ["Who is the guest in cabin {m}?", "Who is in cabin {m}?"], "name"),
    ("The {w} of house {m} is {v}.", ["What is the {w} of house {m}?"], "word"),
    ("Box {m} holds {v}.", ["What does box {m} hold?", "What is in box {m}?"], "word"),
    ("Behind door {m} stands {v}.", ["Who stands behind door {m}?"], "name"),
    ("What {k} bought {o} was {v}.", ["What did {k} buy {o}?"], "word"),
    ("On the {o} day {k} went to {v}.", ["Where did {k} go on the {o} day?"], "name"),
    ("The entry code of {k} is {v}.", ["What is the entry code of {k}?"], "pair"),
    ("The account of {k} is {v}.", ["What is the account of {k}?"], "pair"),
]
KEY_PATTERNS = [pattern for pattern in PATTERNS if pattern[2] in ("number", "code", "pair")]
FAMILY_PATTERNS = [pattern for pattern in PATTERNS if any(part in pattern[0] for part in ("{k}", "{m}"))]
ORDINALS = "first second third fourth fifth sixth seventh".split()


def fill(pattern, library: Library, rng: random.Random, shared: dict | None = None) -> Fact:
    """`shared`: parts that are given instead of drawn."""
    sentence, questions, kind = pattern
    owner, thing = name(library, rng), rng.choice(library.words)
    if "{w}" in sentence and rng.random() < 0.3:
        thing += "-" + rng.choice(library.words)
    if rng.random() < 0.3:
        owner += " " + name(library, rng)
    parts = {
        "k": owner, "w": thing, "v": value(kind, library, rng), "n": number(rng), "m": str(rng.randint(10, 999)),
        "o": rng.choice(ORDINALS), **(shared or {}),
    }
    owner = parts["k"]
    filled = sentence.format(**parts)
    filled = filled[0].upper() + filled[1:]
    if "{k}" not in sentence:
        owner = parts["m"] if "{m}" in sentence else parts["w"]
    beginning = ending = ""
    if sentence.count("{v}") == 1 and sentence.index("{v}") > 10:
        ending = sentence.format(**parts | {"v": "\0"}).partition("\0")[2]
        beginning = filled.removesuffix(" " + parts["v"] + ending)
    return Fact(filled, [q.format(**parts) for q in questions], " " + parts["v"], owner, beginning, ending)


def make_facts(library: Library, rng: random.Random, count: int, keys: float = 0.0) -> list[Fact]:
    """Facts whose questions differ; often of one pattern, so that the owner decides. `keys`: extra share of pass keys and numbers."""
    def some() -> tuple:
        return rng.choice(KEY_PATTERNS if keys and rng.random() < keys else PATTERNS)

    facts, asked = [], set()
    pattern = some()
    same = rng.random() < 0.6
    for _ in range(3 * count):
        fact = fill(pattern if same else some(), library, rng)
        if asked.isdisjoint(fact.questions):
            facts.append(fact)
            asked.update(fact.questions)
        elif same:
            same = any(owner in pattern[0] for owner in ("{k}", "{w}", "{m}"))
        if len(facts) == count:
            break
    return facts


def make_families(library: Library, rng: random.Random, count: int, keys: float) -> tuple[list[Fact], list[tuple]]:
    """Facts in families of one pattern each, told apart by their owners alone, and (pattern, shared parts) of each family."""
    made, families, asked = [], [], set()
    while len(made) < count:
        pattern = rng.choice([p for p in KEY_PATTERNS if p in FAMILY_PATTERNS] if rng.random() < keys else FAMILY_PATTERNS)
        shared = {"w": rng.choice(library.words)} if "{w}" in pattern[0] else {}
        families.append((pattern, shared))
        persons = [name(library, rng) for _ in range(rng.randint(1, 8))] if "{o}" in pattern[0] else []
        for _ in range(min(rng.randint(3, 30), count - len(made))):
            fact = fill(pattern, library, rng, shared | ({"k": rng.choice(persons)} if persons else {}))
            if asked.isdisjoint(fact.questions):
                made.append(fact)
                asked.update(fact.questions)
    rng.shuffle(made)
    return made, families


def several_values(library: Library, rng: random.Random) -> tuple[list[str], Fact]:
    """Sentences that give one owner two to four values, and the question for all of them."""
    owner, things = name(library, rng), rng.choice(library.words)
    values = [number(rng) for _ in range(rng.randint(2, 4))]
    if rng.random() < 0.5:
        sentences = [f"One of the special magic numbers for {things} is: {v}." for v in values]
        questions = [f"What are all the special magic numbers for {things}?"]
    else:
        sentences = [f"{owner} owns the number {v}." for v in values]
        questions = [f"Which numbers does {owner} own?", f"What are the numbers of {owner}?"]
    return sentences, Fact("", questions, " " + ", ".join(values), owner)


def plant(document: Document, sentences: list[str], rng: random.Random, apart: float = 0.3) -> None:
    """Puts the sentences at random places in their order: into paragraphs or, a share of `apart`, as paragraphs of their own."""
    places = sorted((rng.randrange(len(document.paragraphs)), rng.random()) for _ in sentences)
    for sentence, (index, share) in reversed(list(zip(sentences, places))):
        paragraph = document.paragraphs[index]
        if document.is_heading(index) or rng.random() < apart:
            document.paragraphs.insert(index + 1, [sentence])
        else:
            paragraph.insert(1 + int(share * len(paragraph)), sentence)
