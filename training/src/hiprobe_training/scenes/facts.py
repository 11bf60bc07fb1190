"""What is true of a clip, as far as a caption may say it."""

from __future__ import annotations

from dataclasses import dataclass

EVENT_KINDS = ("fight", "fall", "run", "scatter", "crawl", "car", "bicycle", "cart", "object", "smoke", "fire")


@dataclass(frozen=True)
class PersonFact:
    """One visible person.

    Attributes
    ----------
    colour : str
        Of the top, as a word.
    who : str
        ``person`` or ``child``.
    action : str
        A key of :data:`hiprobe_training.scenes.phrases.ACTIONS`, such as ``walk``.
    where : str
        ``left``, ``middle``, ``right``, ``far`` or ``near``.
    moving : bool
        Whether the person changes place.
    at : tuple of float
        Where in the picture the body's middle is: column and row, fractions of its size.
    """

    colour: str
    who: str
    action: str
    where: str
    moving: bool
    at: tuple[float, float] = (0.5, 0.5)


@dataclass(frozen=True)
class Facts:
    """A clip's ground truth at its middle.

    Attributes
    ----------
    place : str
        The place's kind.
    words : tuple of str
        Ways to say where it is.
    indoors, night, grey, moving_camera : bool
    people : tuple of PersonFact
        Who is visible.
    vehicles : tuple of str
        Words for the moving vehicles in view, such as ``red car``.
    event : str or None
        One of `EVENT_KINDS`.
    detail : str
        What form the event takes; empty for normal clips.
    where : str
        Where in the picture the event is.
    """

    place: str
    words: tuple[str, ...]
    indoors: bool
    night: bool
    grey: bool
    moving_camera: bool
    people: tuple[PersonFact, ...]
    vehicles: tuple[str, ...]
    event: str | None
    detail: str
    where: str

    @property
    def n_people(self) -> int:
        """How many people are in view."""
        return len(self.people)

    @property
    def n_moving(self) -> int:
        """How many of them change place."""
        return sum(person.moving for person in self.people)
