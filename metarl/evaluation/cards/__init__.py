"""Result cards: a result, and what is needed to believe and to repeat it.

A card is JSON data; its page, its pictures and the tables of other pages are made from them.
"""

from metarl.evaluation.cards.content import Card, CardEntry, UpstreamRow
from metarl.evaluation.cards.data import card_bytes, card_json, read_card
from metarl.evaluation.cards.page import card_markdown
from metarl.evaluation.cards.training import TrainingCurve, thinned

__all__ = [
    "Card",
    "CardEntry",
    "TrainingCurve",
    "UpstreamRow",
    "card_bytes",
    "card_json",
    "card_markdown",
    "read_card",
    "thinned",
]
