"""Mistakes of a user's, and text from outside as a terminal may show it."""


class UserError(ValueError):
    """A mistake of the user's, which ends a command in one line; the message names the key or the file."""


def printable(text: str, longest: int = 2000) -> str:
    """Text from outside as a terminal may show it: control characters escaped but for line ends, cut where too long."""
    shown = "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)
    return shown if len(shown) <= longest else f"{shown[:longest]}…"
