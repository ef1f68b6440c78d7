"""Every answer of a run truncated after each byte, by FIN and by RST."""

from fake import CLOSE, RESET

TITLE = "cut off"
SCENES = ["tag", "tag-token", "copy", "fetch", "ls", "delete"]
ENDS = {"fin": CLOSE, "rst": RESET}
STATUSES = {5, 6, 9, 17, 18}


def cases(stage, whole):
    for name in SCENES:
        scene = stage.scene(name)
        result, _ = stage.player.run(scene)
        assert result.status == 0, result
        for passing in scene.world.passed:
            for end in ENDS:
                for size in range(len(passing.whole)):
                    yield name, passing.number, end, size


def attempt(stage, case):
    name, number, end, size = case

    def way(passing):
        return [passing.whole[:size], ENDS[end]] if passing.number == number else passing.whole

    scene = stage.scene(name)
    scene.world.way = way
    return stage.play(scene, allowed=STATUSES, retries=0)
