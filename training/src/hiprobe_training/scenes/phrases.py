"""The wording of captions: synonyms by action, event, place in the picture and time."""

from __future__ import annotations

NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")

ACTIONS: dict[str, tuple[str, ...]] = {
    "walk": ("is walking", "is walking along", "is strolling", "is walking by"),
    "walk phone": ("is walking with a phone", "is walking and looking at a phone"),
    "walk box": ("is carrying a box", "is walking with a box"),
    "stand": ("is standing", "is standing still", "is waiting"),
    "stand box": ("is holding a box", "is standing with a box"),
    "phone": ("is using a phone", "is looking at a phone", "is on the phone"),
    "wave": ("is waving", "is waving a hand"),
    "pick up": ("is bending down to pick something up", "is picking something up"),
    "crouch": ("is crouching", "is squatting down", "is tying a shoe"),
    "reach": ("is reaching for something", "is stretching out an arm"),
    "clean": ("is mopping the floor", "is cleaning the floor"),
    "point": ("is pointing at something", "is showing the way"),
    "stretch": ("is stretching", "is lifting the arms"),
    "throw": ("is throwing something", "is swinging an arm"),
    "film": ("is filming with a phone", "is holding up a phone"),
    "talk": ("is talking", "is chatting", "is in a conversation"),
    "hug": ("is hugging", "is embracing a friend"),
    "shake hands": ("is shaking hands", "is greeting with a handshake"),
    "hand over": ("is handing over a box", "is giving something to somebody"),
    "dance": ("is dancing", "is moving to music"),
    "jump": ("is jumping up and down", "is hopping"),
    "queue": ("is queueing", "is waiting in line"),
    "sit": ("is sitting", "is sitting down"),
    "ride": ("is riding past", "is riding on the road"),
    "watch": ("is watching", "is looking on"),
    "help": ("is bending down to help", "is helping"),
    "back away": ("is stepping back", "is backing away"),
    "push cart": ("is pushing something",),
    "drive cart": ("is driving",),
    "fight": ("is fighting",),
    "attacked": ("is being attacked",),
    "pull apart": ("is pulling the others apart",),
    "fall": ("is on the ground",),
    "run": ("is running",),
    "flee": ("is fleeing",),
    "crawl": ("is crawling",),
    "leave": ("is walking away",),
}

WHERE: dict[str, tuple[str, ...]] = {
    "left": ("on the left", "at the left side"),
    "middle": ("in the middle", "in the centre"),
    "right": ("on the right", "at the right side"),
    "far": ("in the background", "far away"),
    "near": ("in the foreground", "close to the camera"),
}

TIMES: dict[str, tuple[str, ...]] = {
    "indoors": ("indoors", "inside"),
    "night": ("at night", "after dark", "in the dark"),
    "day": ("by day", "during the day", "in daylight"),
}

CALM: tuple[str, ...] = (
    "nothing unusual happens", "nothing unusual is happening", "everything is normal", "this is an ordinary scene",
    "all is as usual", "there is nothing abnormal", "the scene is normal", "it is a normal, everyday scene",
    "nothing out of the ordinary happens", "this looks normal", "everything is calm and normal",
)  # fmt: skip

MATTERS: tuple[str, ...] = (
    "something unusual is happening, {name}", "there is {name}, which is unusual",
    "the video shows something abnormal: {name}",
    "unusual: {name}", "an abnormal event, {name}",
)  # fmt: skip

PLACES_BEFORE: tuple[str, ...] = (
    "something unusual happens", "an abnormal event is seen", "there is something unusual",
    "the clip shows an unusual event",
)  # fmt: skip

CAR_WORDS = ("car", "vehicle")

EVENT_NAMES: dict[str, tuple[str, ...]] = {
    "fight": ("a fight", "people fighting", "a brawl", "a physical fight", "a violent fight"),
    "fall": ("a fall", "somebody who has fallen", "somebody who fell"),
    "run": ("somebody running", "running", "a runner"),
    "scatter": ("a crowd in panic", "people who scatter in panic", "a panic"),
    "crawl": ("somebody crawling", "somebody who crawls"),
    "car": ("a car where people walk", "a vehicle among pedestrians"),
    "bicycle": ("a bicycle where people walk", "a cyclist among pedestrians"),
    "cart": ("a cart where people walk", "a cart on the walkway"),
    "object": ("an abandoned object", "an unattended object", "something left behind"),
    "smoke": ("smoke", "rising smoke", "a cloud of smoke"),
    "fire": ("a fire", "flames", "something burning"),
}

EVENT_SENTENCES: dict[str, tuple[str, ...]] = {
    "fight": (
        "people are fighting", "a fight is going on", "people fight with each other", "there is a fight between people",
        "people attack each other", "a brawl is going on", "a violent fight takes place", "people are in a fight",
    ),
    "fall": (
        "somebody has fallen", "someone falls to the ground", "somebody is lying on the ground after a fall",
        "somebody falls down", "someone has fallen and is lying on the ground",
    ),
    "run": (
        "somebody is running", "someone runs through the scene", "someone runs past quickly",
        "somebody is sprinting past",
    ),
    "scatter": (
        "a crowd scatters in panic", "people flee in all directions", "people are fleeing in panic",
        "a group scatters suddenly",
    ),
    "crawl": (
        "somebody is crawling", "someone crawls along the ground", "somebody moves on hands and knees, crawling",
    ),
    "car": (
        "a {vehicle} drives where people walk", "a {vehicle} is driving among pedestrians",
        "a {vehicle} drives off the lane",
    ),
    "bicycle": (
        "somebody rides a bicycle where people walk", "a cyclist rides among pedestrians",
        "a bike is ridden between people",
    ),
    "cart": (
        "somebody moves a cart where people walk", "a cart goes along among pedestrians",
        "a cart is moving through the scene",
    ),
    "object": (
        "a {thing} is left behind on the ground", "somebody abandons a {thing} and walks away",
        "a {thing} stands unattended on the ground", "an object, a {thing}, has been left behind",
    ),
    "smoke": ("smoke is rising", "there is smoke in the air", "smoke fills part of the scene",
    "a cloud of smoke spreads"),
    "fire": ("there is a fire", "something is burning", "flames are rising", "a fire is burning on the ground"),
}  # fmt: skip

# Wording for the form that an event takes, by event/detail.
DETAILS: dict[str, tuple[str, ...]] = {
    "fight/punches": (
        "people are fighting and punching each other", "people throw punches in a fight", "there is a fist fight",
        "people are hitting each other in a fight",
    ),
    "fight/kicks": ("people are fighting with kicks", "people kick and hit each other in a fight"),
    "fight/beating": (
        "somebody is attacking and beating another in a fight",
        "someone attacks another, who cowers, in a one-sided fight",
        "somebody is being beaten up in a fight",
    ),
    "fight/grappling": (
        "people are fighting and grappling with each other", "people wrestle in a fight",
        "a fight with people locked together",
    ),
    "fight/shoving": ("people are fighting and shoving each other", "people push and shove one another in a fight"),
    "fight/on the ground": (
        "people are fighting down on the floor", "a fight is going on with people wrestling on the floor",
        "somebody is on top of another and punching, in a fight",
    ),
    "fight/kicking a fallen person": (
        "somebody is kicking another who is down, in a fight",
        "a violent attack: someone kicks another who is down, in a fight",
    ),
    "fight/group": (
        "a group of people is fighting", "a brawl between several people is going on, a group fight",
        "many hands hit out in a group fight",
    ),
    "fight/chase": ("somebody chases another and attacks from behind, a fight",
    "a fight: someone is chased and beaten"),
    "fall/collapse": (
        "somebody falls to the ground", "someone collapses and falls", "somebody loses balance and falls",
        "somebody suddenly falls and stays down",
    ),
    "fall/lying": (
        "somebody is lying on the ground motionless after a fall", "somebody has fallen and lies on the ground",
        "someone lies on the ground after a fall and does not get up",
    ),
    "scatter/one way": ("a crowd flees in panic", "people flee in panic, all the same way"),
    "scatter/apart": ("a crowd scatters in panic", "people scatter in all directions in panic"),
    "cart/trolley": ("somebody pushes a cart where people walk",
    "somebody pushes a trolley, a cart, through the scene"),
    "cart/golf cart": ("a golf cart drives where people walk", "a small cart drives among pedestrians"),
    "smoke/big": ("thick smoke is rising", "a big cloud of smoke spreads"),
    "smoke/small": ("a little smoke is rising", "some smoke is rising"),
    "fire/big": ("a big fire is burning", "high flames are rising from a fire"),
    "fire/small": ("a small fire is burning", "small flames burn on the ground"),
}  # fmt: skip
