"""What the declaration of processors says: the fields that they read, change and add, and missing modules."""

from collections.abc import Iterable, Iterator

from cdp_sync.model.processor import Processor, Pseudonymize, Python, RemoveNulls, names_of


def fields_after(processors: Iterable[Processor], fields: Iterable[str]) -> tuple[str, ...]:
    """Return the fields that rows have after the processors: those before, and those that are added, in order."""
    every = (processor.settings for processor in processors)
    written = (name for settings in every for name in settings.writes if name not in settings.reads)
    return tuple(dict.fromkeys((*fields, *written)))


def sources_of(processors: Iterable[Processor], wanted: Iterable[str], fields: Iterable[str]) -> tuple[str, ...]:
    """Return the fields before the processors that the wanted ones after them are made of, each once.

    `fields` are all of those before.
    """
    every = tuple(dict.fromkeys(fields))
    made_of: dict[str, frozenset[str]] = {}
    for processor in processors:
        settings = processor.settings
        reads = (settings.fields or every) if isinstance(settings, Python) else settings.reads
        parts = frozenset(part for name in reads for part in made_of.get(name, {name}))
        writes = (*reads, *settings.writes) if isinstance(settings, Python) else settings.writes
        made_of |= dict.fromkeys(writes, parts)
    order = {name: place for place, name in enumerate(every)}
    parts = frozenset(part for name in wanted for part in made_of.get(name, {name}))
    return tuple(sorted(parts, key=lambda name: (order.get(name, len(order)), name)))


def fields_before(processors: Iterable[Processor]) -> tuple[str, ...]:
    """Return the fields that processors read and no earlier one adds, each once."""
    added: set[str] = set()
    needed: list[str] = []
    for processor in processors:
        needed += [name for name in processor.settings.reads if name not in added]
        added |= set(processor.settings.writes)
    return tuple(dict.fromkeys(needed))


def written_by(processors: Iterable[Processor], fields: Iterable[str]) -> frozenset[str]:
    """Return the fields that processors may change or add, given those there are."""
    every, written = frozenset(fields), set[str]()
    for settings in (processor.settings for processor in processors):
        of_all = isinstance(settings, RemoveNulls | Pseudonymize | Python) and not names_of(settings.reads)
        written |= every if of_all else set()
        written |= set(settings.writes)
    return frozenset(written)


def function_problems(processors: Iterable[Processor]) -> Iterator[str]:
    """Yield the Python functions whose module is not found, each as `path: what was found; what is allowed`."""
    for index, processor in enumerate(processors):
        if processor.python and not processor.python.source:
            module = processor.python.module
            yield f"processors[{index}].python: the module {module!r} is not found; needed is one that can be imported"
