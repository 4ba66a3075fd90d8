"""What the supervisor refuses, in one line each."""

from control.errors import NotFound, Refused


class NoSuchChild(NotFound):
    """There is no child of that name."""


class NameTaken(Refused):
    """A child of that name is there already."""


class Draining(Refused):
    """The process is ending and starts nothing any more."""
