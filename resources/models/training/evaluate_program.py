"""Scores a reader through the program: documents from held-back books are imported, prepared and asked.

    python evaluate_program.py EPITOME MODEL BOOKS [--methods full kvzip:0.25] [--length 1024] [--documents 10]

An answer counts as exact if it is the expected text, blanks around it aside, and as holding it if it contains that text.
"""

import argparse
import json
import random
import subprocess
import tempfile
from collections import defaultdict
from pathlib import Path

import conversations
import documents
import evaluate
from skills import SKILLS


class Program:
    def __init__(self, path: Path, folder: Path):
        self.path, self.folder = path, folder

    def run(self, command: str, *words: str) -> dict:
        line = [str(self.path), command, "--data-dir", str(self.folder), "--json", "--quiet", *words]
        done = subprocess.run(line, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(line)}\n{done.stderr}")
        return json.loads(done.stdout)


def questions_of(document, library, rng, each: int) -> list[tuple[str, str, str]]:
    """(skill, question, answer)"""
    asked = []
    for name in evaluate.SHARES:
        for _ in range(each):
            made = SKILLS[name](document, library, rng)
            if made:
                asked.append((name, *made))
    return asked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("books", type=Path)
    parser.add_argument("--cache", type=Path, default=Path("/tmp/reader_cache"))
    parser.add_argument("--methods", nargs="+", default=["full", "kvzip:0.25"])
    parser.add_argument("--length", type=int, default=1024, help="tokens of a document, roughly")
    parser.add_argument("--documents", type=int, default=10)
    parser.add_argument("--each", type=int, default=3, help="questions of each skill for a document")
    parser.add_argument("--seed", type=int, default=3)
    options = parser.parse_args()
    library = documents.load_library(options.books, True, options.cache)
    recipe = conversations.Recipe(options.length, evaluate.SHARES, random_share=0.0)
    counts = defaultdict(lambda: [0, 0, 0])
    with tempfile.TemporaryDirectory() as folder:
        program = Program(options.program, Path(folder) / "library")
        for number in range(options.documents):
            rng = random.Random(f"program {options.seed} {options.length} {number}")
            document = conversations.make_document(library, rng, recipe, int(3.4 * options.length))
            file = Path(folder) / f"document{number}.txt"
            file.write_text(document.text(), encoding="utf-8")
            asked = questions_of(document, library, rng, options.each)
            known = str(program.run("import", str(file))["documents"][0]["id"])
            for method in options.methods:
                name, _, keep = method.partition(":")
                share = ["--keep", keep] if keep else []
                program.run("prepare", known, "--model", str(options.model), "--method", name, *share)
                for skill, question, answer in asked:
                    said = program.run("ask", known, question, "--temperature", "0", "--max-tokens", "100")
                    text = said["answer"] if isinstance(said["answer"], str) else said["answer"]["text"]
                    count = counts[method, skill]
                    count[0] += text.strip() == answer.strip()
                    count[1] += answer.strip() in text
                    count[2] += 1
    print("method\tskill\texact %\t95 % interval\tholds it %\tquestions")
    for (method, skill), (exact, holds, count) in sorted(counts.items()):
        low, high = evaluate.interval(exact, count)
        print(f"{method}\t{skill}\t{100 * exact / count:.1f}\t{low:.0f} to {high:.0f}\t{100 * holds / count:.1f}\t{count}")


if __name__ == "__main__":
    main()
