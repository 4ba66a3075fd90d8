"""What a request can be refused for, in one line that says what was found, what was expected, what to do.

The command line prints the line and ends with 1; the page shows it with a fitting status.
"""


class Refused(Exception):
    """A request that can't be done."""


class NotFound(Refused):
    """What was asked for does not exist, or is somebody else's."""


class AlreadyThere(Refused):
    """What was to be made exists already and is not replaced."""


class Invalid(Refused):
    """A value of the request can't be used."""
