"""What a backbone's text says of an event: whether it denies it, is not sure, or names another kind than was measured.

Patterns are of English, as the prompts are. A text is read, never believed: see :func:`stance`.
"""

from __future__ import annotations

import re
from typing import Literal

Stance = Literal["fits", "denies", "unsure", "contradicts"]
"""Of a text, to its event. ``denies``: nothing is unusual. ``unsure``: the model cannot tell. ``contradicts``: it names
another kind than was measured. ``fits``: none of these."""


# A word of a list may end in anything where it ends in *, and _ stands for a space.
def _any(words: str) -> str:
    return "(?:" + "|".join(word.replace("*", r"\w*").replace("_", " ") for word in words.split()) + ")"


_UNUSUAL = _any(
    "unusual abnormal* anomal* strange odd suspicious alarming remarkable noteworthy irregular concerning uncommon"
    " wrong of_note out_of_the_ordinary out_of_place special extraordinary unexpected atypical weird"
)
_NORMAL = _any("normal ordinary usual typical everyday routine regular unremarkable mundane calm peaceful uneventful")
_SOME = r"(?:\w+ ){0,3}?"

# What denies an event, whatever else is said.
_SURELY = re.compile(
    "|".join(
        (
            rf"\bnothing {_SOME}{_UNUSUAL}\b",
            rf"\bno(?:t any| (?:sign|evidence|indication)s?)?(?: of)?(?: any(?:thing)?)? (?:\w+ )?{_UNUSUAL}\b",
            rf"(?:\b(?:not|never|nor|neither|without|cannot|hardly)|n't) {_SOME}any(?:thing)? {_SOME}{_UNUSUAL}\b",
            rf"\b(?:is|are|was|were|does|do|did)(?: not|n't) (?:\w+ ){{0,2}}?{_UNUSUAL}\b",
            rf"\bnothing {_SOME}(?:happen|occur|takes? place|going on|goes on|moves|stands? out)",
            r"\bno (?:\w+ )?(?:incident|event)s? (?:happen|occur|takes? place|can be seen|is|are|was|were)\b",
        )
    )
)
# What may stand beside an event: "a normal street scene, where two people fight".
_THINGS = _any("everything all scene situation activity behavio* video clip footage this it")
_SCENES = _any("scene day activity activities behavio* situation life traffic footage video")
_MILDLY = re.compile(
    rf"\b{_THINGS}(?: here| else)? (?:is|are|was|looks?|seems?|appears?)(?: to be)?(?: \w+)? "
    rf"(?:{_NORMAL}|as (?:usual|normal|expected))\b"
    rf"|\b(?:an?|the) (?:\w+ ){{0,2}}?{_NORMAL},? (?:\w+ ){{0,2}}?{_SCENES}\b"
)
_EXCEPTION = re.compile(
    r"\b"
    + _any(
        "but except until however apart_from other_than besides although though yet aside_from save_for at_first"
        " nothing_else before then suddenly"
    )
    + r"\b"
)
_UNSURE = re.compile(
    r"(?:\bnot|n't) (?:\w+ )?(?:sure|clear|certain|(?:possible|able) to (?:tell|say|determine|see))\b"
    r"|\b(?:unclear|uncertain|unable to (?:tell|say|determine|see|identify))\b"
    r"|\b(?:cannot|can not|can't|could not|couldn't) (?:\w+ )?(?:tell|say|determine|identify)\b"
    r"|\b(?:cannot|can not|can't|could not|couldn't) (?:\w+ )?be (?:determined|identified)\b"
)

# Kinds of events by the words that name them, in texts and in labels. Each stands for all that it is not told from.
_KINDS = {
    "fight": "fight* fought fistfight* brawl* punch* attack* assault* scuffl* wrestl* grappl* violen* kick kicks kicked"
    " kicking beat beats beaten beating hitting abus* altercation struggl* shove shoves shoved shoving riot*",
    "fall": "fall falls fallen falling fell collaps* lying_on lying_down lying_motionless lies_on lies_down lay_on"
    " motionless toppl* trips tripped tripping faint* unconscious",
    "run": "run runs running runner runners ran sprint* chase chases chased chasing scatter* panic* flee* fled stamped*"
    " rush rushes rushed rushing",
    "crawl": "crawl* hands_and_knees",
    "vehicle": "drive drives driven driving",
    "bicycle": "bicycl* bike bikes biker bikers biking cyclist cyclists cycling",
    "cart": "cart carts trolley trolleys",
    "skate": "skate skates skater skaters skating skateboard* scooter scooters",
    "object": "abandon* unattended left_behind leaves_behind leaving_behind left_alone littering",
    "fire": "smoke smokes smoking smoky fumes fire fires flame flames flaming burn burns burning burnt burned blaz*"
    " arson explosion explosions explode explodes exploded exploding",
    "theft": "steal* stole* theft thefts thief thieves rob robs robbed robbing robber robbers robbery robberies burgl*"
    " shoplift* shop_lift* breaks_in breaking_in pickpocket*",
    "vandalism": "vandal* smash* graffiti",
    "shooting": "shoot shoots shooting shootings shooter gun guns gunfire gunman gunmen gunshot gunshots firearm"
    " firearms rifle rifles pistol pistols",
    "accident": "accident accidents crash* collid* collision collisions run_over hit_by_a",
    "arrest": "arrest* handcuff* detain*",
}
_WORDS = {kind: re.compile(rf"\b{_any(words)}\b") for kind, words in _KINDS.items()}
# A vehicle is an event where it moves among people: many a street has one that stands.
_VEHICLE = _any("car cars van vans truck trucks vehicle vehicles bus buses lorry lorries")
_MOVING = re.compile(
    rf"\b{_VEHICLE} {_SOME}(?:driv|mov|cross|enter|pass|reach|revers|speed|where people)"
    rf"|\b{_VEHICLE} {_SOME}on the (?:walkway|pavement|sidewalk)\b"
    rf"|^{_VEHICLE}$"
)

# Words for places and things that hold the stem of a kind, and what is denied, up to the next comma.
_PLACES = re.compile(
    r"\b(?:car ?parks?|parking lots?|golf cart parks?|from a car|bike (?:racks?|lanes?)"
    r"|parked (?:cars?|vehicles?|vans?|bicycles?|bikes?)|running water|(?:long|short)-running"
    r"|fire (?:hydrants?|extinguishers?|escapes?|exits?|trucks?|engines?|alarms?))\b"
)
_DENIED = re.compile(r"(?:\b(?:no|not|nobody|no one|none|never|without|neither|nor|nothing)\b|n't\b)[^.,;:!?]*")
_GENERIC = re.compile(
    rf"\b{_any('anomal* abnormal* unusual event events incident incidents alarm unknown other normal')}\b"
)

DENIED = "the language model saw nothing unusual here"
"""What is shown in place of a text that denies its event."""

UNSURE = "the language model is not sure what happens here"
"""What is shown in place of a text that is in doubt."""

CONTRADICTS = "the language model says otherwise: "
"""What is shown before a text that names another kind than was measured."""


def shown(text: str, found: Stance) -> str:
    """Return what a person is shown of a text: one that does not explain its event never stands as if it did.

    >>> shown("Somebody has fallen.", "contradicts")
    'the language model says otherwise: "Somebody has fallen."'
    """
    return {"denies": DENIED, "unsure": UNSURE, "contradicts": f'{CONTRADICTS}"{text}"', "fits": text}[found]


def told(words: str, found: Stance | None) -> str:
    """Return what a person is shown of a text as a sentence of its own: only one that fits its event is quoted as said.

    >>> told(DENIED, "denies")
    'The language model saw nothing unusual here.'
    """
    if not words or found == "fits":
        return f"The language model said: {words}"
    return words[0].upper() + words[1:] + ("" if words.endswith(('"', ".")) else ".")


def named_kinds(text: str) -> frozenset[str]:
    """Return the kinds of events that a text names and does not deny, by names of this module.

    >>> sorted(named_kinds("Two men fight, nobody runs."))
    ['fight']
    """
    return _named(_DENIED.sub(" ", _plain(text)))


def denies(text: str) -> bool:
    """Return whether a text says that nothing unusual happens.

    >>> denies("Two people walk in a street and nothing is unusual.")
    True
    >>> denies("Nothing is unusual until a man falls.")
    False
    """
    plain = _plain(text)
    # "nothing is unusual until a man falls": what comes after an exception is not denied.
    parts = _EXCEPTION.split(plain)
    if len(parts) > 1 and any(map(named_kinds, parts)):
        return False
    return bool(_SURELY.search(plain) or (_MILDLY.search(plain) and not named_kinds(plain)))


def is_unsure(text: str) -> bool:
    """Return whether a text says that the model cannot tell what happens, and names no kind of event."""
    return bool(_UNSURE.search(_plain(text))) and not named_kinds(text)


def stance(text: str, kind: str | None = None) -> Stance:
    """Return what a text says of an event whose measured kind is ``kind``; None where no kind was measured.

    A kind is compared by the words of its name. One that is generic (``anomaly``) is not contradicted by any other.

    >>> stance("Somebody has fallen.", "fight")
    'contradicts'
    """
    if denies(text):
        return "denies"
    if is_unsure(text):
        return "unsure"
    # "RoadAccidents" and "road_accidents" are read as "road accidents".
    words = " ".join(re.findall(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+", kind or "")).casefold()
    named = named_kinds(text)
    if not words or not named or _GENERIC.search(words):
        return "fits"
    measured = _named(words)
    said = bool(named & measured) if measured else re.search(rf"\b{words}\b", _plain(text)) is not None
    return "fits" if said else "contradicts"


def _plain(text: str) -> str:
    return _PLACES.sub(" ", text.casefold().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))


def _named(plain: str) -> frozenset[str]:
    found = {kind for kind, words in _WORDS.items() if words.search(plain)}
    return frozenset(found | {"vehicle"} if _MOVING.search(plain) else found)
