"""PostgreSQL types as Django spells them, in the spelling of the server's format_type()."""

from __future__ import annotations

import re

_ALIASES = {
    "int": "integer",
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "serial": "integer",
    "serial2": "smallint",
    "serial4": "integer",
    "serial8": "bigint",
    "smallserial": "smallint",
    "bigserial": "bigint",
    "bool": "boolean",
    "float4": "real",
    "float8": "double precision",
    "float": "double precision",
    "decimal": "numeric",
    "dec": "numeric",
    "varchar": "character varying",
    "char varying": "character varying",
    "char": "character",
    "nchar": "character",
    "nchar varying": "character varying",
    "national char": "character",
    "national character": "character",
    "national char varying": "character varying",
    "national character varying": "character varying",
    "varbit": "bit varying",
}
_ELEMENTS = frozenset(
    {*_ALIASES.values(), *_ALIASES, "date", "inet", "json", "jsonb", "text", "uuid"}
)
"""Types whose arrays go by the type's name with an underscore as well."""

_UNSIZED = {"character": "1", "bit": "1"}
"""Types whose length is one where none is given."""

_TIMES = {
    "timestamptz": ("timestamp", "with"),
    "timetz": ("time", "with"),
    "timestamp": ("timestamp", "without"),
    "time": ("time", "without"),
}
_SHAPES = (
    "MultiLineString",
    "MultiPoint",
    "MultiPolygon",
    "MultiCurve",
    "MultiSurface",
    "LineString",
    "Point",
    "PolyhedralSurface",
    "Polygon",
    "GeometryCollection",
    "Geometry",
    "CircularString",
    "CompoundCurve",
    "CurvePolygon",
    "Triangle",
    "Tin",
)
_SHAPE_NAMES = {shape.lower(): shape for shape in _SHAPES}

_SUFFIX = re.compile(r"\s+(?:generated\s|collate\s|not\s+null|null\b|default\s).*$", re.I | re.S)
_ARRAY = re.compile(r"(?:\s*\[\s*\d*\s*\]|\s+array(?:\s*\[\s*\d*\s*\])?)+$", re.I)
_TIME = re.compile(
    r"^(timestamptz|timetz|timestamp|time)\s*(?:\((\d+)\))?(?:\s+(with|without)\s+time\s+zone)?$"
)
_SIZED = re.compile(r"^([a-z0-9_ ]+?)\s*\(\s*([^()]*?)\s*\)$")
_SPATIAL = re.compile(r"^(geometry|geography)\s*\(\s*([a-z]+?)(zm|z|m)?\s*(?:,\s*(-?\d+)\s*)?\)$")


def canonical_type(db_type: str) -> str:
    """A type in the spelling that `format_type` gives it.

    Args:
        db_type: What `Field.db_type()` returns, or a user's own spelling.

    Returns:
        The canonical spelling; a type that is not known here keeps its own, in lower case
        outside of quotes.
    """
    text = _SUFFIX.sub("", db_type.strip())
    element = _ARRAY.sub("", text)
    # format_type does not tell the number of dimensions, nor their bounds.
    return _scalar(element) + ("[]" if element != text else "")


def _scalar(text: str) -> str:
    if text == '"char"':  # a type of the server's own, which is not char
        return text
    if '"' in text:  # a user's own type, which the server quotes in the same way if it must
        return re.sub(r'"([a-z_][a-z0-9_]*)"', r"\1", text)
    text = re.sub(r"\s+", " ", text).strip().lower()
    text = text.removeprefix("pg_catalog.")
    if text.startswith("_") and text[1:] in _ELEMENTS:
        return f"{_ALIASES.get(text[1:], text[1:])}[]"
    if found := _TIME.match(text):
        base, zone = _TIMES[found[1]]
        precision = f"({found[2]})" if found[2] else ""
        return f"{base}{precision} {found[3] or zone} time zone"
    if found := _SPATIAL.match(text):
        return _spatial(found)
    if found := _SIZED.match(text):
        name = "character" if found[1] == "bpchar" else found[1]
        return _sized(_ALIASES.get(name, name), found[2])
    name = _ALIASES.get(text, text)
    return f"{name}({_UNSIZED[name]})" if name in _UNSIZED else name


def _sized(name: str, arguments: str) -> str:
    numbers = [number.strip() for number in arguments.split(",")]
    if name == "numeric" and len(numbers) == 1:
        numbers.append("0")
    if name == "double precision":  # float(p)
        return "real" if int(numbers[0]) <= 24 else name
    return f"{name}({','.join(numbers)})"


def _spatial(found: re.Match[str]) -> str:
    """PostGIS: geometry(POINTZ,4326) is shown as geometry(PointZ,4326)."""
    kind, shape, dimensions, srid = found.groups()
    shape = _SHAPE_NAMES.get(shape, shape) + (dimensions or "").upper()
    return f"{kind}({shape},{srid})" if srid and srid != "0" else f"{kind}({shape})"
