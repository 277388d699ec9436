"""How durations, counts and foreign text are spelled, the same in every report and display."""

from __future__ import annotations


def spell_seconds(seconds: float) -> str:
    """A duration for people: "0.04 s", "3.2 s", "1 min 05 s", "2 h 03 min".

    Args:
        seconds: Duration; a negative one (a clock that was set back) counts as zero.
    """
    seconds = max(seconds, 0.0)
    if round(seconds, 2) < 1:
        return f"{seconds:.2f} s"
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def spell_count(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: "1 table", "3 tables".

    Args:
        number: How many.
        noun: Singular.
        plural: Where it is not the noun with an "s".
    """
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def spell_rows(number: int) -> str:
    """How many rows, for people: "1 row", "9,876 rows", "120 k rows", "1.2 M rows".

    Args:
        number: Exact or estimated.
    """
    if number < 10_000:
        return f"{number:,} {'row' if number == 1 else 'rows'}"
    amount, unit = number / 1000, "k"
    for bigger in ("M", "G"):
        if round(amount) < 1000:
            break
        amount, unit = amount / 1000, bigger
    return (
        f"{amount:.1f} {unit} rows"
        if amount < 99.95 and unit != "k"
        else f"{amount:.0f} {unit} rows"
    )


def spell_bytes(size: int) -> str:
    """A size for people: "512 bytes", "12.3 MB", "340 MB" (powers of ten, as disks are sold).

    Args:
        size: In bytes.
    """
    amount, unit = float(size), "bytes"
    for bigger in ("kB", "MB", "GB", "TB"):
        if round(amount) < 1000:
            break
        amount, unit = amount / 1000, bigger
    return f"{amount:.1f} {unit}" if unit != "bytes" and amount < 99.95 else f"{amount:.0f} {unit}"


def spell_table(key: str) -> str:
    """A table's key for people: "shop_order", "tenant.shop_order".

    Args:
        key: As in `core.schema.table_key`.
    """
    return key.replace('"."', ".")


def without_alias(message: str, alias: str) -> str:
    """A message about an alias for a place that names the alias already."""
    return message.removeprefix(f"{alias}: ")


def printable(text: str) -> str:
    """Text from elsewhere without what would move a terminal's cursor or change its colours.

    Names and error messages come from databases and migrations; an escape sequence in one of
    them must not rewrite what stands above it.

    Args:
        text: Anything. Line ends and tabs stay; other control characters are spelled out.
    """
    return "".join(
        character
        if character in "\n\t" or character.isprintable() or character == "\u00a0"
        else character.encode("unicode_escape", "backslashreplace").decode("ascii")
        for character in text.replace("\r\n", "\n")
    )
