"""The lines of a YAML text: where a key or an item is, and which keys of a mapping are there twice.

YAML's own rule is that the keys of a mapping are unique. PyYAML does not check it: the last value wins in silence.
"""

import re
from collections.abc import Iterator

import yaml

# The same safe loader, in C where libyaml is there: ten times as quick.
Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_PART = re.compile(r"\[(\d+)\]|([^.\[\]]+)")
_MERGE = "tag:yaml.org,2002:merge"


def documents_of(text: str) -> Iterator[tuple[object, list[str]]]:
    """Yield each document that is not empty, with its doubled keys, each as `path: on which line it was before`.

    Raises:
        yaml.YAMLError: The text is not valid YAML.
    """
    loader = Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            doubled = list(_doubled(node, "", set()))  # first: constructing replaces merged keys by their values
            document = loader.construct_document(node)
            if document is not None:
                yield document, doubled
    finally:
        loader.dispose()


def _doubled(node: yaml.Node | None, path: str, seen: set[int]) -> Iterator[str]:
    if node is None or id(node) in seen:  # an alias
        return
    seen.add(id(node))
    lines: dict[str, int] = {}
    for name, key, value in _children(node):
        place = f"{path}{name}" if path else name.lstrip(".")
        if name in lines and key.tag != _MERGE:
            yield f"{place}: this key is already on line {lines[name]}; remove one of them"
        lines.setdefault(name, _line(key))
        yield from _doubled(value, place, seen)


def _children(node: yaml.Node) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
    """Yield what is in a mapping or a list: its part of a path, what begins it, and its value."""
    if isinstance(node, yaml.SequenceNode):
        yield from ((f"[{number}]", item, item) for number, item in enumerate(node.value))
    elif isinstance(node, yaml.MappingNode):
        yield from ((f".{key.value}", key, value) for key, value in node.value)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def lines_of(text: str, path: str) -> list[int]:
    r"""Return the line of a path, or of what is nearest above it: one for each document that could be meant.

    >>> lines_of("a:\n  b: [1,\n    2]\n", "a.b[1]")
    [3]
    """
    parts = [f"[{match[1]}]" if match[1] else f".{match[2]}" for match in _PART.finditer(path)]
    found = [_deepest(node, parts) for node in yaml.compose_all(text, Loader=Loader) if node is not None]
    depth = max((each for each, _ in found), default=0)
    return [line for each, line in found if each == depth]


def _deepest(node: yaml.Node, parts: list[str]) -> tuple[int, int]:
    """Return how many parts of a path a document has, and the line of the last of them."""
    line = _line(node)
    for depth, part in enumerate(parts):
        matching = [(key, value) for name, key, value in _children(node) if name == part]
        if not matching:
            return depth, line
        key, node = matching[-1]
        line = _line(key)
    return len(parts), line
