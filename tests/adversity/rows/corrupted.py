"""Each byte of every answer changed: its lowest bit, the bit that tells small letters from large ones, or all of it to NUL.
With the program here, by one of them in turn; in one process, `bytes corrupted`, by all three. Under TLS, the lowest bit
of what is on the wire.
"""

from answers import in_digest, length_of_session, only, places
from fake import END_OF_HEAD

TITLE = "corrupted"
PROGRAM = "bytes corrupted"
CHANGES = {"bit": lambda byte: byte ^ 0x01, "case": lambda byte: byte ^ 0x20, "nul": lambda byte: 0}
EVERY, TLS_EVERY = 2, 3
WITHIN = 4  # seconds, where the changed byte says that more is to come

# A changed status line means what its number stands for; all else is refused, or waited for in vain.
NUMBERS = {1, 3, 4, 13, 14, 17}
NOTICED = {6, 9, 10, 15, 18, 19}
BROKEN_TLS = {5, 6, 7, 9, 18}
BELIEVED = {"digest", "watch", "ls-digests"}  # what a registry says of digests,
LISTS = {"ls": "/tags/list", "ls-digests": "/tags/list", "referrers": "/referrers/"}  # and in a list
LED_ASTRAY = {5}  # to a token server that is not there


def cases(stage, whole):
    for name, passing, at in places(stage, EVERY):
        if name in BELIEVED and in_digest(passing.whole, at):
            continue
        if LISTS.get(name, "?") in passing.request.path and at >= passing.whole.index(END_OF_HEAD):
            continue
        yield name, passing.number, list(CHANGES)[at // EVERY % 3], at
    for at in range(0, length_of_session(stage, "tag-tls"), TLS_EVERY):
        yield "tag-tls", 0, "tls", at


def attempt(stage, case):
    name, number, change, at = case
    scene = stage.scene(name)

    def changed(whole):
        return whole[:at] + bytes(CHANGES[change](one) for one in whole[at : at + 1]) + whole[at + 1 :]

    if change == "tls":
        scene.world.here.front.spoil = at
        return stage.play(scene, allowed=BROKEN_TLS, retries=0, within=WITHIN)
    scene.world.way = only(number, changed)
    allowed = NUMBERS | NOTICED | scene.unsure | (LED_ASTRAY if scene.token else set())
    return stage.play(scene, allowed=allowed, retries=0, within=WITHIN)
