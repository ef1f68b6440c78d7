"""The pages, and the commands on them. In Markdown a command stands in a block that begins with ```sh; those
of a section, from one heading to the next, are one script. In the manual it follows "$ "."""

import re
from pathlib import Path
from typing import NamedTuple

TOP = Path(__file__).resolve().parent.parent.parent
FENCE = "```"
KINDS = {"sh", "c", "text", "console", "mermaid"}  # of blocks


class Script(NamedTuple):
    page: str
    title: str
    text: str

    @property
    def name(self):
        return re.sub(r"[^a-z0-9]+", "-", f"{self.page} {self.title}".lower()).strip("-")


def pages():
    """All that the repository has, in Markdown."""
    places = ["*.md", "src/*.md", "src/*/*.md", "tests/*.md", "tests/*/*.md", "toolchains/*.md"]
    return sorted(page for place in [*places, "third_party/*.md"] for page in TOP.glob(place))


def scripts():
    """One for each section that has commands, and one for each example of the manual."""
    for page in pages():
        yield from _sections(str(page.relative_to(TOP)), page.read_text().splitlines())
    yield from _manual((TOP / "src/regtag.1").read_text().splitlines())


def manuals_agent():
    """The script at the end of the manual's examples."""
    text = (TOP / "src/regtag.1").read_text()
    return text[text.index("#!/bin/ash") :].partition("\n.Ed\n")[0]


def prose(page):
    """A page without its blocks."""
    return re.sub(f"^{FENCE}.*?^{FENCE}$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def _sections(page, lines):
    title, kind, found, before = "", None, [], ""
    for line in [*lines, "# the end"]:
        if line.startswith(FENCE):
            assert kind or line[3:] in KINDS, f"{page}: what is in this block? {line}"
            kind = None if kind else line[3:]
        elif kind == "sh":
            found.append(line)
        elif not kind and line.startswith("#"):
            if found:
                yield Script(page, title, "\n".join(found) + "\n")
            title, found = line.strip("# "), []
        elif not kind and not before:
            assert not line.startswith("    "), f"{page}: a block without its kind: {line}"
        before = line


def _manual(lines):
    """Commands, with what continues them: literal blocks, and lines displayed by .Dl."""
    before, literal, found = "", False, []
    for line in lines:
        if line.startswith(".Bd -literal"):
            literal, found = True, []
        elif line == ".Ed":
            if found and found[0].startswith("$ "):
                yield Script("regtag.1", before, "\n".join(_typed(found)) + "\n")
            literal = False
        elif literal:
            found.append(line)
        elif line.startswith(".Dl $ "):
            yield Script("regtag.1", before, "\n".join(_typed([line[4:]])) + "\n")
        elif not line.startswith("."):
            before = line.rstrip(":")


def _typed(lines):
    """Without prompts, and without what a command has printed."""
    goes_on = False
    for line in lines:
        line = line.replace("\\e", "\\").replace("\\-", "-").replace("\\&", "")
        if line.startswith("$ ") or goes_on:
            yield line.removeprefix("$ ")
            goes_on = line.endswith(("\\", "|"))
