"""The stages of the training: short documents first, then longer ones among them."""

from dataclasses import dataclass, field

from conversations import Recipe


@dataclass
class Stage:
    steps: int
    lengths: tuple[int, ...]  # tokens of a row; the steps take turns
    skills: dict[str, float]  # shares of the questions
    tokens: int = 2048  # of a step
    random_share: float = 0.2  # of documents without sense
    extra: dict = field(default_factory=dict)  # for the recipe

    def recipe(self, step: int) -> Recipe:
        length = self.lengths[step % len(self.lengths)]
        return Recipe(length, self.skills, random_share=self.random_share, **self.extra)

    def rows(self, step: int) -> int:
        return max(1, self.tokens // self.lengths[step % len(self.lengths)])


SKILLS = {"continue": 2, "fact": 3, "repeat": 0.3, "blank": 0.6, "quote": 4, "section": 0.4, "absent": 1.2}
# At 4,096 tokens seven of ten answers that failed did so within their first three tokens, so the last stage asks more
# questions, has half of the long answers end there, and its documents fill up to nine tenths of a row.
OPENINGS = {"continue": 3, "fact": 3, "repeat": 0.1, "blank": 0.5, "quote": 5, "section": 0.3, "absent": 1.6}
LONG_DOCUMENTS = {
    "document_share": 0.62, "cut_share": 0.5, "cut_tokens": (3, 8), "opening_weights": (3.0, 4.0, 3.5, 2.0),
    "extra_keys": 0.3, "family_share": 0.45, "renamed_share": 0.3,
}
# Most quotations that still failed did so behind their first tokens (failures.py), where words stand in two places.
FORKS = {**LONG_DOCUMENTS, "cut_share": 0.3, "fork_weight": 2.5}

STAGES = [
    Stage(800, (256, 256, 256, 512), SKILLS),
    Stage(800, (256, 512, 256, 1024), SKILLS),
    Stage(1000, (512, 256, 1024, 512), SKILLS, tokens=4096),
    Stage(4438, (1024, 512, 2048, 4096), SKILLS, tokens=4096),
    Stage(2050, (1024, 4096, 2048, 4096), SKILLS, tokens=4096),
    Stage(4530, (1024, 4096, 2048, 4096), OPENINGS, tokens=4096, random_share=0.15, extra=LONG_DOCUMENTS),
    Stage(20000, (1024, 4096, 2048, 4096), OPENINGS, tokens=4096, random_share=0.15, extra=FORKS),
]


def stage_of(step: int, stages: list[Stage]) -> Stage | None:
    for stage in stages:
        if step < stage.steps:
            return stage
        step -= stage.steps
    return None
