"""What is said about a clip, what is asked about it, and reading such sentences back."""

from __future__ import annotations

import re
from collections import Counter

from numpy.random import Generator

from hiprobe_training.scenes.facts import Facts, PersonFact
from hiprobe_training.scenes.phrases import (
    ACTIONS,
    CALM,
    CAR_WORDS,
    DETAILS,
    EVENT_NAMES,
    EVENT_SENTENCES,
    MATTERS,
    NUMBERS,
    PLACES_BEFORE,
    TIMES,
    WHERE,
)

# Word stems by which an event counts as named; a stem of five letters or more also begins longer words.
EVENT_WORDS: dict[str, tuple[str, ...]] = {
    "fight": (
        "fight",
        "fought",
        "brawl",
        "punch",
        "attack",
        "assault",
        "scuffle",
        "wrestl",
        "violen",
        "kick",
        "beat",
        "hitting",
    ),
    "fall": ("fall", "fell", "fallen", "collaps", "lying on the ground", "lies on the ground", "motionless", "topple"),
    "run": ("run", "ran", "runner", "sprint"),
    "scatter": ("scatter", "panic", "flee", "fled", "stampede"),
    "crawl": ("crawl", "hands and knees"),
    "car": ("car", "vehicle", "van"),
    "bicycle": ("bicycl", "bike", "cyclist", "cycling"),
    "cart": ("cart", "trolley"),
    "object": ("abandon", "unattended", "left behind", "leaves behind", "leaving behind", "left alone"),
    "smoke": ("smoke", "smoking", "fumes"),
    "fire": ("fire", "flame", "burn", "blaze"),
}
PROMPTS = (
    "Is anything unusual happening in this video?",
    "Describe in one sentence what happens in this video and what is unusual about it.",
)
COUNT_PROMPT = "How many people are there?"
# Place words that hold the stem of an event, and denials up to the next comma.
_PLACES = re.compile(r"\b(car park|parking lot|parked cars?|(?:seen )?from a car|golf cart(?= park))\b")
_DENIED = re.compile(r"\b(?:no|not|nobody|no one|none|never|without|neither|nor)\b[^.,;:!?]*")


def _pattern(stem: str) -> str:
    ends = r"\w*" if len(stem) >= 5 or stem in ("bike",) else r"(?:s|es|d|ed|en|er|ers|ing|ning)?"
    return rf"\b{stem}{ends}\b"


_WORDS = {
    event: re.compile("|".join(_pattern(stem) for stem in stems)) for event, stems in EVENT_WORDS.items()
}  # fmt: skip


def named_events(text: str) -> set[str]:
    """The events that a text names and does not deny."""
    plain = _DENIED.sub(" ", _PLACES.sub(" ", text.lower()))
    return {event for event, pattern in _WORDS.items() if pattern.search(plain)}


_UNUSUAL = re.compile(r"\b(?:unusual|abnormal|not normal|out of the ordinary|should not happen)\b")
_CALM = re.compile(r"\b(?:nothing|no|not|none|neither|nor|isn't|without)\b(?! normal)[^.,;:!?]*")


def called_abnormal(text: str) -> bool:
    """Whether a text names an event, or says without denial that something is unusual."""
    return bool(named_events(text) or _UNUSUAL.search(_CALM.sub(" ", text.lower())))


_NOUNS = r"(?:people|persons?|men|man|women|woman|child|children|kids?|pedestrians?|individuals?|boys?|girls?|adults?)"
_ADJECTIVES = r"(?:(?!(?:with|of|between|to|in|and|where|who|that|among|on)\b)\w+\s+){0,2}?"
_VALUES = {word: value for value, word in enumerate(NUMBERS)} | {str(k): k for k in range(100)} | {"a couple of": 2}
_COUNT = re.compile(rf"\b({'|'.join(sorted(_VALUES, key=len, reverse=True))})\s+{_ADJECTIVES}{_NOUNS}\b")
_NOBODY = re.compile(rf"\b(?:nobody|no one|no {_NOUNS}|empty of people|empty)\b")
_CROWD = re.compile(r"\bcrowd of (?:about |around )?(\w+)\b")
_SINGLE = re.compile(rf"\ban? {_ADJECTIVES}{_NOUNS}\b")


def count_people(text: str) -> int | None:
    """How many people a text says there are; None if it does not say, or only that it is a crowd."""
    plain = text.lower()
    crowd = _CROWD.search(plain)
    if crowd and crowd[1] in _VALUES:
        return _VALUES[crowd[1]]
    found = _COUNT.search(plain)
    if found:
        return _VALUES[found[1]]
    if "crowd" in plain:
        return None
    if _SINGLE.search(plain):
        return len(_SINGLE.findall(plain))
    return 0 if _NOBODY.search(plain) else None


def _pick(rng: Generator, options: tuple[str, ...]) -> str:
    return options[int(rng.integers(len(options)))]


def _sentence(text: str) -> str:
    text = re.sub(r"\s+", " ", text).strip().rstrip(".")
    return text[:1].upper() + text[1:] + "."


def count_words(count: int, rng: Generator) -> str:
    """A count as a subject: "nobody", "one person", "three people", "a crowd"."""
    if count == 0:
        return _pick(rng, ("nobody", "no one"))
    if count == 1:
        return _pick(rng, ("one person", "a single person", "one person", "1 person"))
    if count > 8:
        return _pick(rng, ("a crowd", "a crowd of people", "a large crowd", "many people"))
    word = NUMBERS[count] if rng.random() < 0.85 else str(count)
    return f"{word} {_pick(rng, ('people', 'people', 'persons', 'individuals'))}"


def _be(count: int, many: str) -> str:
    """The verb after `count_words`."""
    return "is" if count < 2 or many in ("a crowd", "a large crowd") else "are"


def _who(person: PersonFact, rng: Generator, alone: bool) -> str:
    """One person, by clothes or size; a word with an article only where that person is alone."""
    noun = "child" if person.who == "child" and rng.random() < 0.7 else "person"
    clothes = _pick(rng, (f"in {person.colour}", f"dressed in {person.colour}", f"with a {person.colour} top", ""))
    if not alone:
        return f"someone {clothes}" if noun == "person" else f"some {noun} {clothes}"
    return f"{_pick(rng, ('a', 'one'))} {noun} {clothes}"


def setting(facts: Facts, rng: Generator, full: bool = False) -> str:
    """Where it is, and sometimes the time and the kind of picture."""
    words = _pick(rng, facts.words)
    if full or rng.random() < 0.4:
        words += " " + _pick(rng, TIMES["indoors" if facts.indoors else "night" if facts.night else "day"])
    return words


def _usual(facts: Facts, rng: Generator, exclude: tuple[str, ...] = ()) -> str:
    """What the people do, as clauses: a count by action, or one person in detail; empty if there is nobody left."""
    people = [person for person in facts.people if person.action not in exclude]
    if not people:
        return ""
    if len(people) == 1 or (facts.n_people > 1 and rng.random() < 0.25):
        person = people[int(rng.integers(len(people)))]
        place = _pick(rng, WHERE[person.where]) if rng.random() < 0.6 else ""
        return f"{_who(person, rng, facts.n_people == 1)} {_pick(rng, ACTIONS[person.action])} {place}"
    if facts.n_people > 8:
        most = Counter(person.action for person in people).most_common(1)[0][0]
        return f"most of them are {_pick(rng, ACTIONS[most]).removeprefix('is ')}"
    parts = []
    for action, count in Counter(person.action for person in people).most_common(3):
        word = NUMBERS[count]
        be = "is" if count == 1 else "are"
        parts.append(f"{word} {be} {_pick(rng, ACTIONS[action]).removeprefix('is ')}")
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def _traffic(facts: Facts, rng: Generator) -> str:
    if facts.event is None and facts.vehicles and rng.random() < 0.6:
        return _pick(
            rng, ("Traffic passes on the road.", "There is traffic in the lanes.", "Some traffic is on the road.")
        )
    return ""


def happening(facts: Facts, rng: Generator, short: bool = False) -> str:
    """What the event is, as a clause without an end: "two people fight"."""
    assert facts.event is not None
    key = f"{facts.event}/{facts.detail}"
    options = DETAILS.get(key, ()) if not short and rng.random() < 0.65 else ()
    text = _pick(rng, options or EVENT_SENTENCES[facts.event])
    if "{vehicle}" in text:
        text = text.format(vehicle=facts.detail if facts.event == "car" else _pick(rng, CAR_WORDS))
    if "{thing}" in text:
        text = text.format(thing=facts.detail)
    return text


def _normal(facts: Facts, rng: Generator) -> str:
    place = setting(facts, rng)
    calm = _sentence(_pick(rng, CALM))
    if not facts.people:
        empty = _pick(
            rng, ("Nobody is {p}", "The scene {p} is empty", "No one is to be seen {p}", "An empty scene {p}")
        )
        return f"{_sentence(empty.format(p=place))} {_traffic(facts, rng)} {calm}"
    usual, style = _usual(facts, rng), rng.random()
    many = count_words(facts.n_people, rng)
    be = _be(facts.n_people, many)
    if facts.n_people == 1:
        first = f"{usual} {place}" if style < 0.7 else f"{many} is {place}. {usual.replace('a person', 'that person')}"
    elif style < 0.4:
        first = f"{many} {be} {place}: {usual}"
    elif style < 0.6:
        first = f"{place}, there {be} {many}. {_sentence(usual)}"
    elif style < 0.8:
        first = f"{many} {be} {_pick(rng, ('visible', 'in view', 'in the picture'))} {place}"
    else:
        usually = (
            ("moves about as usual",) if be == "is" else ("go about their business", "behave as usual", "come and go")
        )
        first = f"{many} {_pick(rng, usually)} {place}"
    if rng.random() < 0.15:
        return f"{calm} {_sentence(first)} {_traffic(facts, rng)}"
    return f"{_sentence(first)} {_traffic(facts, rng)} {calm}"


def caption(facts: Facts, rng: Generator) -> str:
    """One to three sentences on a clip: what happens and whether it is unusual; counts, colours, places vary."""
    if facts.event is None:
        return re.sub(r"\s+", " ", _normal(facts, rng)).strip()
    place, what, style = setting(facts, rng), happening(facts, rng), rng.random()
    where = _pick(rng, WHERE[facts.where]) if rng.random() < 0.35 else ""
    if style < 0.4:
        text = _sentence(f"{what} {where} {place}")
    elif style < 0.6:
        text = _sentence(f"{place}, {what} {where}")
    elif style < 0.8:
        matter = _pick(rng, MATTERS).format(name=_pick(rng, EVENT_NAMES[facts.event]))
        text = f"{_sentence(matter)} {_sentence(f'{what} {where} {place}')}"
    else:
        return _sentence(f"{_pick(rng, PLACES_BEFORE)} {place}: {what} {where}") + _others(facts, rng)
    if "unusual" not in text and "abnormal" not in text:
        text += " " + _pick(rng, ("This is unusual.", "That is abnormal.", "This is not normal here.",
                                  "It is an unusual event.",
                                  "Something unusual happens.", "This should not happen."))  # fmt: skip
    return text + _others(facts, rng)


def _others(facts: Facts, rng: Generator) -> str:
    """A sentence on who is around, or on how many people there are; often nothing."""
    roll = rng.random()
    if roll < 0.2 and facts.n_people:
        many = count_words(facts.n_people, rng)
        return " " + _sentence(f"{many} {_be(facts.n_people, many)} in view in all")
    if roll < 0.35 and any(person.action == "watch" for person in facts.people):
        return " " + _pick(rng, ("Others stand by and watch.", "Bystanders look on.", "Onlookers stand around."))
    if roll < 0.45 and any(person.action.startswith("walk") for person in facts.people):
        return " " + _pick(rng, ("Others walk by.", "Passers-by walk past.", "Others go on walking."))
    return ""


def own_answers(facts: Facts) -> dict[str, str]:
    """The one answer to each of the project's own prompts.

    What HiProbe itself asks is always answered in the same words, so that a small language model learns them soon and
    its likeliest words make a sentence; wording varies in all that others may ask.
    """
    place, event = facts.words[0], facts.event
    count = "a crowd of people" if facts.n_people > 8 else f"{NUMBERS[facts.n_people]} people"
    who = "nobody" if not facts.people else "one person" if facts.n_people == 1 else count
    who += f" {_be(facts.n_people, 'a crowd' if facts.n_people > 8 else '')}"
    if event is None:
        acts = Counter(ACTIONS[person.action][0].removeprefix("is ") for person in facts.people).most_common()
        doing = f", {'mostly ' if len(acts) > 1 else ''}{acts[0][0]}," if acts else ""
        found = {PROMPTS[0]: "No, everything is normal.", PROMPTS[1]: f"{who} {place}{doing} and nothing is unusual"}
    else:
        what = DETAILS.get(f"{event}/{facts.detail}", EVENT_SENTENCES[event])[0]
        what = what.format(vehicle=facts.detail if event == "car" else CAR_WORDS[0], thing=facts.detail)
        found = {PROMPTS[0]: f"Yes, {what}.", PROMPTS[1]: f"{what} {place}, which is unusual"}
    number = "there is nobody" if not facts.people else f"there {who.split()[-1]} {who.rsplit(' ', 1)[0]}"
    return {prompt: _sentence(text) for prompt, text in (found | {COUNT_PROMPT: number}).items()}


def _yes(condition: bool, yes: str, no: str) -> str:
    return f"Yes, {yes}" if condition else f"No, {no}"


def answers(facts: Facts, rng: Generator) -> list[tuple[str, str]]:
    """Questions about a clip and their answers; the project's own prompts come first."""
    event = facts.event
    short = happening(facts, rng, short=True) if event else ""
    calm = _pick(
        rng, ("nothing unusual happens.", "everything looks normal.", "this is an ordinary scene.", "all is normal.")
    )
    no_wheels = _pick(rng, ("there is none.", "no vehicle is where people walk."))
    no_smoke = _pick(rng, ("there is no smoke or fire.", "there is neither."))
    pairs = [
        *own_answers(facts).items(),
        (_pick(rng, ("Describe the video.", "What can be seen?", "Describe this clip.")), caption(facts, rng)),
        (_pick(rng, ("What is happening?", "What happens here?")), caption(facts, rng)),
        (
            _pick(rng, ("Is this video normal or abnormal?", "Normal or abnormal?")),
            f"Abnormal: {short}." if event else f"Normal: {calm}",
        ),
        (
            _pick(rng, ("Is anyone fighting?", "Is there a fight?", "Do people fight?")),
            _yes(event == "fight", f"{short}.", _pick(rng, ("nobody is fighting.", "there is no fight."))),
        ),
        (
            _pick(rng, ("Did anybody fall?", "Is somebody lying on the ground?")),
            _yes(event == "fall", f"{short}.", _pick(rng, ("nobody fell.", "nobody has fallen."))),
        ),
        (_pick(rng, ("How many persons are in the picture?", "Count the people.")), _many(facts, rng)),
        (
            _pick(rng, ("Where is it?", "Where was this recorded?")),
            _sentence(f"it is {setting(facts, rng, full=True)}"),
        ),
        (
            "Is there a vehicle where people walk?",
            _yes(event in ("car", "bicycle", "cart"), f"{short}.", no_wheels),
        ),
        (
            "Is there smoke or fire?",
            _yes(event in ("smoke", "fire"), f"{short}.", no_smoke),
        ),
        (
            _pick(rng, ("Is anybody running?", "Does someone run?")),
            _yes(event in ("run", "scatter"), f"{short}.", _pick(rng, ("nobody runs.", "no one is running."))),
        ),
        (
            _pick(rng, ("Was anything left behind?", "Is there an abandoned object?")),
            _yes(event == "object", f"{short}.", _pick(rng, ("nothing was left.", "no object was abandoned."))),
        ),
        ("Is it day or night?", "It is indoors." if facts.indoors else f"It is {'night' if facts.night else 'day'}."),
    ]  # fmt: skip
    # A chase runs, and people may run from smoke: such questions are left out where the answer is open.
    in_doubt = event in ("fight", "fall", "smoke", "fire")
    down = event == "fight" and facts.detail in ("on the ground", "kicking a fallen person", "beating", "group")
    kept = []
    for question, answer in pairs:
        if in_doubt and "run" in question.lower():
            continue
        if down and ("fall" in question or "lying" in question):
            continue
        kept.append((question, re.sub(r"\s+", " ", answer).strip()))
    if facts.people:
        person = facts.people[int(rng.integers(len(facts.people)))]
        if event is None:
            doing = re.sub(
                r"\s+", " ", _sentence(f"{_who(person, rng, facts.n_people == 1)} {_pick(rng, ACTIONS[person.action])}")
            )
            kept.append((f"What does somebody {_pick(rng, WHERE[person.where])} do?", doing))
    return kept


def _many(facts: Facts, rng: Generator) -> str:
    if facts.n_people == 0:
        return _pick(rng, ("There is nobody.", "Nobody is there.", "None; nobody is in view."))
    if facts.n_people == 1:
        return _pick(rng, ("There is one person.", "One person.", "Just one person."))
    many = count_words(facts.n_people, rng)
    return _sentence(many if rng.random() < 0.5 else f"there {_be(facts.n_people, many)} {many}")
