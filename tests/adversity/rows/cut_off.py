"""Every answer of a run truncated after each byte, by FIN and by RST. With the program here, by one of them in turn; in one
process, `bytes cut_off`, by both, and with eight requests in flight.
"""

from answers import length_of_session, only, places
from fake import CLOSE, RESET
from tls_server import Ending

TITLE = "cut off"
PROGRAM = "bytes cut_off"
ENDS = {"fin": CLOSE, "rst": RESET}
TLS_ENDS = {"tls-fin": Ending.CLOSE, "tls-rst": Ending.RESET}
TLS_EVERY = 2
LOST = {5, 9, 18}  # between answers, within one, and behind an upload


def cases(stage, whole):
    for name, passing, at in places(stage):
        yield name, passing.number, list(ENDS)[at % 2], at
    for at in range(0, length_of_session(stage, "tag-tls"), TLS_EVERY):
        yield "tag-tls", 0, list(TLS_ENDS)[at // TLS_EVERY % 2], at


def attempt(stage, case):
    name, number, end, size = case
    scene = stage.scene(name)
    if end in TLS_ENDS:
        scene.world.here.front.most, scene.world.here.front.ending = size, TLS_ENDS[end]
    else:
        scene.world.way = only(number, lambda whole: [whole[:size], ENDS[end]])
    return stage.play(scene, allowed=LOST | scene.unsure, retries=0)
