"""Gradient descent with momentum that can be run backwards to the bit (Maclaurin et al. 2015).

Their algorithms 1 to 3. To differentiate a long loop in reverse, one has to come by its states from
the last to the first. Storing them takes memory in proportion to the steps; solving the update for
the state before it takes none, but in floating point each division by the decay ``gamma < 1``
magnifies the rounding error of the steps so far, to ``gamma^-T`` of it after ``T`` steps. So the
states lie on a grid of integers, where addition is exact and only the multiplication by the decay
loses information: ``log2(1 / gamma)`` bits a step. Those are kept.

How they are kept differs from the paper's algorithm 3, which approximates the decay by a fraction
with a small denominator and moves remainders through a buffer. Here the decay is any number:
``floor(gamma * V)`` maps some neighbouring integers to the same, and what is kept is which of them
it was, as a digit in a number whose base changes from step to step. A step from which there is only
one way back costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

FRACTION_BITS = 44
LARGEST = 2**52
"""In units of the grid, 256: up to there float64 holds every integer of it, and its neighbour."""


@dataclass(frozen=True)
class Descent:
    """Gradient descent with momentum, one rate and one decay for each of ``n`` coordinates.

    ``v' = gamma v - (1 - gamma) g(w)`` and ``w' = w + alpha v'`` (algorithm 1).

    Attributes:
        gradient: ``g``, from ``[n]`` to ``[n]``, the same bits for the same bits.
        rates: ``alpha``, ``[n]`` float64.
        decays: ``gamma``, ``[n]`` float64, in (0, 1].
    """

    gradient: Callable[[Tensor], Tensor]
    rates: Tensor
    decays: Tensor

    def pull(self, w: Tensor) -> Tensor:
        """``(1 - gamma) g(w)`` on the grid, at ``w`` on the grid."""
        return on_grid((1.0 - self.decays) * self.gradient(off_grid(w)).double())

    def push(self, v: Tensor) -> Tensor:
        """``alpha v`` on the grid."""
        return torch.round(self.rates * v.double()).long()


@dataclass
class ReversiblePath:
    """Where a descent has led, and what it takes to go back.

    Attributes:
        w: Coordinates, ``[n]`` int64 in units of the grid.
        v: Velocities, likewise.
        digits: What the decay has lost.
    """

    w: Tensor
    v: Tensor
    digits: DigitStore

    @classmethod
    def start(cls, w: Tensor) -> ReversiblePath:
        """At rest at ``w``, ``[n]``."""
        grid = on_grid(w.double())
        return cls(grid, torch.zeros_like(grid), DigitStore.empty(grid))

    def copy(self) -> ReversiblePath:
        """One that can be walked without moving this one."""
        return ReversiblePath(self.w, self.v, self.digits.copy())

    def forward(self, descent: Descent) -> bool:
        """Takes a step; says whether the state is still on the grid, and if not stays."""
        pull = descent.pull(self.w)
        decayed = decay(self.v, descent.decays)
        v = decayed - pull
        w = self.w + descent.push(v)
        if max(v.abs().max().item(), w.abs().max().item(), pull.abs().max().item()) >= LARGEST:
            return False
        first = first_preimage(decayed, descent.decays)
        ways = first_preimage(decayed + 1, descent.decays) - first
        self.digits.push(self.v - first, ways)
        self.w, self.v = w, v
        return True

    def back(self, descent: Descent) -> None:
        """Takes a step back."""
        self.w = self.w - descent.push(self.v)
        decayed = self.v + descent.pull(self.w)
        first = first_preimage(decayed, descent.decays)
        ways = first_preimage(decayed + 1, descent.decays) - first
        self.v = first + self.digits.pop(ways)


@dataclass
class DigitStore:
    """Numbers of mixed base, one per coordinate, to which digits are added and taken off again.

    On average a digit takes little more than ``log2(1 / gamma)`` bits, at most
    ``log2(1 / gamma + 1)``. When a coordinate's word of 62 bits has no room left, all begin a new
    one: after 60 steps or more at a decay of 0.5, after some hundreds at 0.9.
    """

    word: Tensor
    full: list[tuple[int, Tensor]] = field(default_factory=list)
    num_digits: int = 0

    @classmethod
    def empty(cls, like: Tensor) -> DigitStore:
        """Without digits."""
        return cls(torch.zeros_like(like))

    def copy(self) -> DigitStore:
        """One that can be changed by itself; words are shared, and never written to."""
        return DigitStore(self.word, list(self.full), self.num_digits)

    @property
    def num_bytes(self) -> int:
        """Memory taken."""
        return 8 * self.word.numel() * (1 + len(self.full))

    def push(self, digits: Tensor, bases: Tensor) -> None:
        """Adds a digit, ``0 <= digits < bases``, to each coordinate."""
        if (self.word.double() + 1.0).mul(bases).max().item() >= 2.0**62:
            self.full.append((self.num_digits, self.word))
            self.word = torch.zeros_like(self.word)
        self.word = self.word * bases + digits
        self.num_digits += 1

    def pop(self, bases: Tensor) -> Tensor:
        """Takes off the digits that were added last, given their bases."""
        digits = self.word % bases
        self.word = self.word // bases
        self.num_digits -= 1
        if self.full and self.full[-1][0] == self.num_digits:
            _, self.word = self.full.pop()
        return digits


def on_grid(values: Tensor) -> Tensor:
    """Numbers as multiples of the grid, int64; what isn't a number is too large for it."""
    scaled = torch.round(values * 2.0**FRACTION_BITS)
    return scaled.nan_to_num(nan=LARGEST).clamp(-LARGEST, LARGEST).long()


def off_grid(grid: Tensor) -> Tensor:
    """Multiples of the grid as numbers, float64."""
    return grid.double() * 2.0**-FRACTION_BITS


def decay(v: Tensor, gamma: Tensor) -> Tensor:
    """``floor(gamma v)``, monotone in ``v``."""
    return torch.floor(gamma * v.double()).long()


def first_preimage(image: Tensor, gamma: Tensor) -> Tensor:
    """The smallest ``v`` with ``decay(v, gamma) >= image``."""
    v = torch.ceil(image.double() / gamma).long()
    # The quotient is rounded, and so is the product in decay: off by one at most.
    v = v + (decay(v, gamma) < image).long()
    return v - (decay(v - 1, gamma) >= image).long()
