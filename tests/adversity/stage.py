"""What a worker keeps from case to case: the program, and the scenes with their servers."""

import shutil
from contextlib import ExitStack

from conftest import program_path, settle
from program import Program
from rule import Player
from scenes import SCENES
from world import World


class Stage:
    def __init__(self):
        settle()
        self.program = Program(program_path())
        self.player = Player(self.program)
        self._scenes = {}
        self._kept = {}
        self._stack = ExitStack()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._stack.close()
        self._scenes.clear()
        self._kept.clear()

    def keep(self, key, make):
        """What a row has made of its own, to be closed at the end."""
        if key not in self._kept:
            self._kept[key] = make()
            self._stack.callback(self._kept[key].close)
        return self._kept[key]

    def scene(self, name):
        """As it is before the first run."""
        if name not in self._scenes:
            kind = SCENES[name]
            world = World(kind.tls, kind.token)
            self._stack.callback(world.close)
            self._scenes[name] = kind(world)
        else:
            self._scenes[name].begin()
        return self._scenes[name]

    def play(self, scene, *allowed, **options):
        return self.player.play(scene, *allowed, **options)

    @staticmethod
    def has(tool):
        return shutil.which(tool) is not None
