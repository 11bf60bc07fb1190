"""The questions that the observer's slots answer: what may be said, in words, and what is true of a clip."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import torch

from hiprobe_training.scenes.facts import EVENT_KINDS, Facts

CROWD = 9  # so many people, or more


@dataclass(frozen=True)
class Slot:
    """A question: its name, its answers, and the words that each answer is said with at first."""

    name: str
    answers: tuple[str, ...]
    words: tuple[str, ...]


_EVENTS = {
    "none": "normal, nothing unusual",
    "fight": "fight, people fighting",
    "fall": "somebody fallen, lying on the ground",
    "run": "somebody running",
    "scatter": "crowd in panic, people flee",
    "crawl": "somebody crawling",
    "car": "car driving among pedestrians",
    "bicycle": "bicycle among pedestrians, cyclist",
    "cart": "cart, trolley",
    "object": "abandoned object, left behind",
    "smoke": "smoke",
    "fire": "fire, flames burning",
}
_FORMS = {
    "none": "normal",
    "fight/punches": "punching, hitting",
    "fight/kicks": "kicks",
    "fight/beating": "attacking, beating another",
    "fight/grappling": "grappling, wrestling",
    "fight/shoving": "shoving, pushing",
    "fight/on the ground": "wrestling on the floor",
    "fight/kicking a fallen person": "kicking another who is down",
    "fight/group": "group of people fighting",
    "fight/chase": "chases another",
    "fall/collapse": "collapses and falls",
    "fall/lying": "motionless on the ground",
    "scatter/one way": "flee the same way",
    "scatter/apart": "scatter in all directions",
    "cart/trolley": "pushes a trolley",
    "cart/golf cart": "golf cart drives",
    "smoke/big": "thick smoke",
    "smoke/small": "a little smoke",
    "fire/big": "big fire, high flames",
    "fire/small": "small fire",
    "object/suitcase": "suitcase",
    "object/backpack": "backpack",
    "object/box": "box",
    "object/handbag": "handbag",
    "car/car": "car",
    "car/van": "van",
    "other": "unusual",
}
_NUMBERS = ("nobody", "one person", "two people", "three people", "four people", "five people", "six people",
            "seven people", "eight people", "a crowd of people")  # fmt: skip
_PLACES = {
    "street": "street, outside a building", "plaza": "square", "car park": "car park, parking lot",
    "walkway": "walkway, park", "corridor": "corridor, hallway", "shop": "shop, store",
    "hall": "hall, room, public building", "road": "road, seen from a car",
}  # fmt: skip
_LIGHT = {"indoors": "indoors, inside", "day": "day, daylight", "night": "night, dark"}
_WHERE = {
    "none": "nowhere", "left": "on the left", "middle": "in the middle", "right": "on the right",
    "far": "in the background", "near": "in the foreground",
}  # fmt: skip
_ACTS = {
    "nobody": "empty", "walk": "walking", "stand": "standing, waiting", "phone": "using a phone",
    "bend": "bending down", "gesture": "lifting the arms", "talk": "talking", "hug": "hugging",
    "greet": "shaking hands, giving", "dance": "dancing", "jump": "jumping", "sit": "sitting", "ride": "riding",
    "push cart": "pushing", "watch": "watching", "fight": "fighting", "fall": "on the ground", "run": "running",
    "crawl": "crawling",
}  # fmt: skip
_ACT_OF = {
    "walk phone": "walk", "walk box": "walk", "leave": "walk", "stand box": "stand", "queue": "stand",
    "wave": "gesture", "pick up": "bend", "crouch": "bend", "reach": "gesture", "clean": "bend", "point": "gesture",
    "stretch": "gesture", "throw": "gesture", "film": "phone", "shake hands": "greet", "hand over": "greet",
    "help": "bend", "back away": "walk", "drive cart": "ride", "attacked": "fight", "pull apart": "fight",
    "flee": "run",
}  # fmt: skip
_TRAFFIC = {"none": "no traffic", "car": "car", "van": "van", "bus": "bus", "bicycle": "bicycle", "cart": "cart"}


def _slot(name: str, table: dict[str, str]) -> Slot:
    return Slot(name, tuple(table), tuple(table.values()))


SLOTS = (
    _slot("event", _EVENTS),
    _slot("form", _FORMS),
    Slot("people", tuple(str(n) for n in range(CROWD + 1)), _NUMBERS),
    _slot("acts", _ACTS),
    _slot("where", _WHERE),
    _slot("traffic", _TRAFFIC),
    _slot("place", _PLACES),
    _slot("light", _LIGHT),
)
EVENTS = SLOTS[0].answers
assert ("none", *EVENT_KINDS) == EVENTS
ACTS = SLOTS[3].answers


_OF_EVENTS = ("fight", "fall", "run", "crawl", "push cart")  # acts that are an event


def belongs(slot: Slot) -> torch.Tensor:
    """Of each answer: 1 if it is only given of an event, -1 if only of a normal clip, 0 if of both."""
    if slot.name == "acts":
        return torch.tensor([float(answer in _OF_EVENTS) for answer in slot.answers])
    if slot.name in ("form", "where"):
        return torch.tensor([-1.0 if answer == "none" else 1.0 for answer in slot.answers])
    return torch.zeros(len(slot.answers))


def act(action: str) -> str:
    """The answer of the slot ``acts`` for an action of :class:`hiprobe_training.scenes.facts.PersonFact`."""
    return _ACT_OF.get(action, action)


def _form(facts: Facts) -> str:
    if facts.event is None:
        return "none"
    detail = facts.detail.split()[-1] if facts.event == "car" else facts.detail
    form = f"{facts.event}/{detail}"
    return form if form in _FORMS else "other"


def truth(facts: Facts) -> list[torch.Tensor]:
    """What each slot should say: one distribution over its answers per slot."""
    people = facts.people
    said: list[dict[str, float]] = [
        {facts.event or "none": 1.0},
        {_form(facts): 1.0},
        {str(min(len(people), CROWD)): 1.0},
        dict(Counter(act(p.action) for p in people)) if people else {"nobody": 1.0},
        {facts.where if facts.event else "none": 1.0},
        dict(Counter(vehicle.split()[-1] for vehicle in facts.vehicles)) if facts.vehicles else {"none": 1.0},
        {facts.place: 1.0},
        {"indoors" if facts.indoors else "night" if facts.night else "day": 1.0},
    ]
    found = []
    for slot, given in zip(SLOTS, said, strict=True):
        weights = torch.tensor([float(given.get(answer, 0)) for answer in slot.answers])
        found.append(weights / weights.sum())
    return found
