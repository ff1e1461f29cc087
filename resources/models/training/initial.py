"""Starting weights that already look back, match, copy and find the beginning of a sentence, so that no training time is
spent on finding that out.

The circuits are those of the constructed reader, in a soft form that training can bend. Parts of the residual stream:

  flags    a constant, and what kind of token this is: ends a sentence, is rare, assistant's mark, begin mark
  token    the embedding proper, read by the output matrix
  before   for each of the two tokens before: a code of 30 elements and two flags (ends a sentence, assistant's mark)
  first    a code of the first and of the second token of this sentence, each with one flag

Layer 0 fills `before`. Layer 1 fills `first`, from the last tokens that follow an end of a sentence. In layer 2 a word of
the question finds the same word in the document and takes over its `first`. In layer 3 the row that begins the answer
reads `first` of the question's words and says the first token, the next row the second. From there induction goes on:
(token, token before) compared with (token before, token two before) of earlier rows, and the token found is copied.
Compare "mimetic initialization" (Trockman and Kolter 2023, arXiv:2305.09828).
"""

import math
import re

import torch

import tokens
from model import Attention, Reader

CONSTANT, ENDS, RARE, ASSISTS, BEGINS = range(5)  # coordinates of the flags
FLAG = 4.0  # size of the constant, in deviations of the other coordinates
KIND = 2.0  # size of the other flags; small, since RMSNorm shrinks rows with more of them
TOKEN = 8  # first coordinate of the embedding proper
CODE = 30
SENTENCE_END = re.compile(r"^(Ġ?[.?!]|âĢĿ|Ċ|<\|\w+\|>)$")  # also the closing quotation mark


def orthonormal(rows: int, columns: int, generator: torch.Generator) -> torch.Tensor:
    """(rows, columns) with orthonormal rows, rows <= columns."""
    square = torch.randn(columns, rows, generator=generator)
    return torch.linalg.qr(square)[0].T.contiguous()


class Starter:
    def __init__(self, model: Reader, seed: int):
        self.model, self.shape = model, model.shape
        self.generator = torch.Generator().manual_seed(seed)
        self.size, self.turned = self.shape.head_dim, 2 * self.shape.rotated
        self.standing = self.size - self.turned
        self.frequencies = self.shape.frequencies()[: self.shape.rotated].float()
        half, part = self.shape.width // 2, CODE + 2
        self.token = slice(TOKEN, half)
        self.before = [slice(half + i * part, half + (i + 1) * part) for i in range(2)]
        self.first = slice(half + 2 * part, half + 4 * part)
        assert half + 4 * part <= self.shape.width and self.shape.heads == 2 * self.shape.kv_heads == 4
        code = self.code = torch.zeros(part, self.shape.width)  # of a row's own token
        code[:CODE, self.token] = 1.0 * self.random(CODE, half - TOKEN)
        code[CODE, ENDS] = code[CODE + 1, ASSISTS] = 1.0

    def random(self, rows: int, columns: int) -> torch.Tensor:
        return orthonormal(rows, columns, self.generator)

    def plain(self) -> None:
        for parameter in self.model.parameters():
            if parameter.dim() == 2:
                deviation = 0.5 / math.sqrt(parameter.shape[1])
                torch.nn.init.normal_(parameter, std=deviation, generator=self.generator)
        torch.nn.init.normal_(self.model.embedding.weight, generator=self.generator)
        self.model.norm.weight.fill_(0.12)
        for layer in self.model.layers:
            layer.down.weight.mul_(0.02)
            layer.attention.o.weight.mul_(0.02)

    def flags(self) -> None:
        embedding = self.model.embedding.weight
        embedding[:, self.shape.width // 2 :] *= 0.1
        embedding[:, :TOKEN] = 0
        embedding[:, CONSTANT] = FLAG
        for index, text in enumerate(tokens.vocabulary(tokens.read_merges())):
            embedding[index, ENDS] = KIND if SENTENCE_END.match(text) else 0.0
            # Merges are learned in the order of frequency, so late tokens are rare.
            embedding[index, RARE] = KIND * min(1.0, max(0, index - 300) / 1500)
        embedding[tokens.ASSISTANT, ASSISTS] = KIND
        embedding[tokens.BEGIN, BEGINS] = KIND
        self.model.norm.weight[:TOKEN] = 0.01  # the output matrix shall not read them

    def rows(self, head: int) -> tuple[slice, slice]:
        """The turned and the standing rows of a head."""
        start = head * self.size
        return slice(start, start + self.turned), slice(start + self.turned, start + self.size)

    def at_distance(self, distance: float, pairs: slice) -> torch.Tensor:
        """What a query's turned rows hold to find the key (1, 0) that stands this far before."""
        shares = torch.zeros(self.shape.rotated)
        shares[pairs] = 1.0
        angles = self.frequencies * distance
        return torch.stack((shares * angles.cos(), -shares * angles.sin()), dim=-1).flatten()

    def clear(self, attention: Attention, kv_head: int) -> None:
        for head in (2 * kv_head, 2 * kv_head + 1):
            cut = slice(head * self.size, (head + 1) * self.size)
            attention.q.weight[cut] *= 0.02
            attention.o.weight[:, cut] *= 0.02
        cut = slice(kv_head * self.size, (kv_head + 1) * self.size)
        attention.k.weight[cut] *= 0.02
        attention.v.weight[cut] *= 0.02

    def same_place(self, attention: Attention, kv_head: int) -> None:
        """Keys that tell distances: (1, 0) in every turned pair."""
        turned = self.rows(kv_head)[0]
        attention.k.weight[turned.start : turned.stop : 2, CONSTANT] = 1.0 / FLAG

    def look_back(self, attention: Attention) -> None:
        """Heads 0 and 1 fill `before`; heads 2 and 3 look three and four tokens back, for training to use."""
        for kv_head in (0, 1):
            self.clear(attention, kv_head)
            self.same_place(attention, kv_head)
            value = slice(kv_head * self.size, kv_head * self.size + CODE + 2)
            attention.v.weight[value] = self.code
            for place in (0, 1):
                head = 2 * kv_head + place
                query = self.at_distance(head + 1, slice(0, 8))
                attention.q.weight[self.rows(head)[0], CONSTANT] = 60.0 * query / FLAG
                if kv_head == 0:
                    start = head * self.size
                    attention.o.weight[self.before[place], start : start + CODE + 2] = 0.8 * torch.eye(CODE + 2)

    def sentence_start(self, attention: Attention) -> None:
        """Heads 2 and 3: the nearest token behind an end of a sentence, and the one after it."""
        kv_head = 1
        self.clear(attention, kv_head)
        self.same_place(attention, kv_head)
        standing = self.rows(kv_head)[1].start
        for place in (0, 1):
            flag = self.before[place].start + CODE
            attention.k.weight[standing + place, flag] = 1.0
            attention.k.weight[standing + place, ENDS] = -0.6  # an end of a sentence does not begin one
            turned, own = self.rows(2 * kv_head + place)
            attention.q.weight[turned, CONSTANT] = 12.0 * self.at_distance(0, slice(5, 12)) / FLAG
            attention.q.weight[own.start + place, CONSTANT] = 80.0 / FLAG
        value = slice(kv_head * self.size, kv_head * self.size + CODE + 2)
        attention.v.weight[value] = self.code
        attention.v.weight[value.stop - 1] = 0
        attention.v.weight[value.stop - 1, CONSTANT] = 1.0 / FLAG
        attention.v.weight[value.stop - 1, BEGINS] = -1.0 / KIND
        for place in (0, 1):
            start = (2 * kv_head + place) * self.size
            part = slice(self.first.start + place * (CODE + 2), self.first.start + (place + 1) * (CODE + 2))
            attention.o.weight[part, start : start + CODE + 2] = torch.eye(CODE + 2)

    def same_word(self, attention: Attention) -> None:
        """Head 2: a rare token finds an equal one far before and takes over its `first`; others rest on the begin mark.
        Head 3 takes away the row's own `first`."""
        kv_head = 1
        self.clear(attention, kv_head)
        self.same_place(attention, kv_head)
        own = torch.zeros(self.standing - 1, self.shape.width)
        own[:, self.token] = self.random(self.standing - 1, self.shape.width // 2 - TOKEN)
        standing = self.rows(kv_head)[1]
        attention.k.weight[standing.start : standing.stop - 1] = own
        attention.k.weight[standing.stop - 1, BEGINS] = 1.0 / KIND
        turned, rest = self.rows(2)
        attention.q.weight[turned, CONSTANT] = -9.0 * self.at_distance(0, slice(None)) / FLAG
        attention.q.weight[rest.start : rest.stop - 1] = 3.0 * own
        attention.q.weight[rest.stop - 1, CONSTANT] = 110.0 / FLAG
        attention.q.weight[rest.stop - 1, RARE] = -60.0 / KIND
        attention.q.weight[self.rows(3)[0], CONSTANT] = 60.0 * self.at_distance(0, slice(0, 8)) / FLAG
        attention.v.weight[kv_head * self.size : (kv_head + 1) * self.size, self.first] = torch.eye(self.size)
        attention.o.weight[self.first, 2 * self.size : 3 * self.size] = 1.5 * torch.eye(self.size)
        attention.o.weight[self.first, 3 * self.size : 4 * self.size] = -torch.eye(self.size)

    def say_first(self, attention: Attention) -> None:
        """Head 2 at the assistant's mark, head 3 one row later: read `first` of the last twenty tokens and say it."""
        kv_head = 1
        self.clear(attention, kv_head)
        self.same_place(attention, kv_head)
        standing = self.rows(kv_head)[1].start
        attention.k.weight[standing, self.first.start + CODE + 1] = 1.0  # something was found
        attention.k.weight[standing, RARE] = 0.3 / KIND
        attention.k.weight[standing + 1, BEGINS] = 1.0 / KIND
        triggers = (ASSISTS, self.before[0].start + CODE + 1)
        for place, trigger in enumerate(triggers):
            turned, rest = self.rows(2 * kv_head + place)
            size = KIND if place == 0 else 0.8 * KIND
            attention.q.weight[turned, trigger] = 24.0 * self.at_distance(0, slice(7, 12)) / size
            attention.q.weight[rest.start, trigger] = 40.0 / size
            attention.q.weight[rest.start + 1, CONSTANT] = 50.0 / FLAG
            start = (2 * kv_head + place) * self.size + place * (CODE + 2)
            attention.o.weight[:, start : start + CODE] = 3.0 * self.code[:CODE].T
        attention.v.weight[kv_head * self.size : (kv_head + 1) * self.size, self.first] = torch.eye(self.size)

    def induction(self, attention: Attention, gain: float, copy: float) -> None:
        kv_head = 0
        self.clear(attention, kv_head)
        half = self.standing // 2
        wanted, seen = torch.zeros(2, self.standing, self.shape.width)
        for place in (0, 1):
            cut = slice(place * half, (place + 1) * half)
            mix = self.random(half, CODE)
            part = slice(self.before[place].start, self.before[place].start + CODE)
            seen[cut, part] = (1.0, 0.7)[place] * mix
            if place == 0:
                wanted[cut] = mix @ self.code[:CODE]
            else:
                wanted[cut, self.before[0].start : self.before[0].start + CODE] = 0.7 * mix
        attention.k.weight[self.rows(kv_head)[1]] = gain * seen
        value = torch.zeros(self.size, self.shape.width)
        value[:, self.token] = self.random(self.size, self.shape.width // 2 - TOKEN)
        attention.v.weight[: self.size] = value
        for head in (0, 1):
            attention.q.weight[self.rows(head)[1]] = gain * wanted
            attention.o.weight[:, head * self.size : (head + 1) * self.size] = copy * value.T


@torch.no_grad()
def start(model: Reader, seed: int) -> None:
    """Fills all weights. The shape has to be model.Shape's own but for the number of layers (at least 5) and the
    feed-forward width."""
    starter = Starter(model, seed)
    starter.plain()
    starter.flags()
    layers = [layer.attention for layer in model.layers]
    starter.look_back(layers[0])
    starter.sentence_start(layers[1])
    starter.same_word(layers[2])
    starter.say_first(layers[3])
    for index, attention in enumerate(layers[1:]):
        starter.induction(attention, 2.3, 3.0 if index + 3 >= len(layers) else 0.3)


@torch.no_grad()
def plain_start(model: Reader, seed: int) -> None:
    """Random weights only, for comparison."""
    Starter(model, seed).plain()
