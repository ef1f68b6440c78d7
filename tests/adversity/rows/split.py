"""Answers in pieces of one byte, and in two pieces: everything is as with whole ones. In two pieces at every position in one
process, `bytes split`; here the second piece is sent once the program waits for it, at some positions.
"""

from answers import only, places, until_read
from fake import Drip
from scenes import SCENES

TITLE = "split"
PROGRAM = "bytes split"
EVERY = 29


def cases(stage, whole):
    for name in SCENES:
        if name != "tag-100":
            yield name, 0, "one", 0
    for name, passing, at in places(stage, EVERY):
        yield name, passing.number, "two", at


def attempt(stage, case):
    name, number, form, at = case
    scene = stage.scene(name)
    if form == "one":
        scene.world.way = lambda passing: [Drip(passing.whole)]
        for server in (scene.world.here, scene.world.there):
            if server.front:
                server.front.drip = True
    else:
        scene.world.way = only(number, lambda whole: [whole[:at], until_read, whole[at:]])
    return stage.play(scene, allowed=set(), retries=0)
