from collections.abc import Iterator

from formats import errors


def _family(root: type[errors.FormatError]) -> Iterator[type[errors.FormatError]]:
    yield root
    for child in root.__subclasses__():
        yield from _family(child)


def test_every_error_has_a_code_of_its_own() -> None:
    family = list(_family(errors.FormatError))

    assert len({error.code for error in family}) == len(family)
    assert all("code" in vars(error) for error in family)


def test_the_module_shows_the_tree_as_it_is() -> None:
    def draw(error: type[errors.FormatError], depth: int) -> Iterator[tuple[int, str, str]]:
        yield depth, error.__name__, error.code
        for child in error.__subclasses__():
            yield from draw(child, depth + 1)

    drawn = [
        ((len(line) - len(line.lstrip())) // 2 - 2, *line.split())
        for line in (errors.__doc__ or "").splitlines()
        if line.startswith("    ")
    ]

    assert drawn == list(draw(errors.FormatError, 0))
