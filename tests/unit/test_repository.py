"""Files at the repository's root that no other test would miss."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.servers import MYSQL_URL, POSTGRES_URL, Address

ROOT = Path(__file__).resolve().parents[2]
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([A-Za-z0-9.!+]+)$")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return document


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("service", "variable", "password", "port"),
    [
        ("postgres", POSTGRES_URL, "POSTGRES_PASSWORD", 5432),
        ("mariadb", MYSQL_URL, "MARIADB_ROOT_PASSWORD", 3306),
    ],
)
def test_compose_servers_are_where_its_comments_say(
    compose: dict[str, Any], service: str, variable: str, password: str, port: int
) -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    found = re.search(rf"{variable}=(\S+)", text)
    assert found, f"{variable} is not in the comments"
    address = Address.parse(found[1], port=0, maintenance="")
    definition = compose["services"][service]
    assert definition["environment"][password] == address.password
    assert definition["ports"] == [f"{address.host}:{port}:{port}"]
    assert address.port == port
    assert definition["healthcheck"]["test"][0] == "CMD"


def test_constraints_are_plain_pins() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert lines
    assert [line for line in lines if not PINNED.match(line)] == []
    assert not [line for line in lines if line.startswith("django-migrator-journal")]


def test_constraints_pin_every_dependency_within_its_range(project: dict[str, Any]) -> None:
    pins = {
        canonicalize_name(match[1]): match[2]
        for match in map(PINNED.match, (ROOT / "constraints.txt").read_text().splitlines())
        if match
    }
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["demo"], *extras["dev"]]
    for text in wanted:
        requirement = Requirement(text)
        name = canonicalize_name(requirement.name)
        if name == canonicalize_name(project["name"]):
            continue
        assert name in pins, f"{name} is not pinned"
        assert requirement.specifier.contains(pins[name]), f"{name}=={pins[name]} against {text}"


def test_the_library_does_not_depend_on_the_embedded_server(project: dict[str, Any]) -> None:
    assert not [text for text in project["dependencies"] if "pgserver" in text]
