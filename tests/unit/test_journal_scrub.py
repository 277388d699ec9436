"""No password gets past the scrubber, and what is no password stays."""

from __future__ import annotations

import pytest

from journal.scrub import scrub, scrub_text


@pytest.mark.parametrize(
    "text",
    [
        "postgres://me:hunter2@db/app",
        "postgresql+psycopg://me:hunter2@[::1]:5432/app?sslmode=require",
        "postgres://me:p@hunter2@db/app",
        "postgres://me:p/hunter2@db/app",
        "redis://:hunter2@cache:6379/0",
        "https://hunter2@github.com/acme/shop.git",
        "could not connect to mysql://root:hunter2@10.0.0.1/x: refused",
        "host=db user=me password=hunter2 dbname=app",
        "host=db password='hunter2 and more' dbname=app",
        "host=db password = hunter2 dbname=app",
        "password='it\\'s hunter2' dbname=app",
        'PASSWORD="hunter2"',
        "PGPASSWORD=hunter2 psql",
        "MYSQL_PWD=hunter2 mysqldump",
        "manage.py migrate_all --password hunter2 --check",
        "manage.py migrate_all --db-password=hunter2",
        "mysql --password='hunter2 x'",
        "{'ENGINE': 'x', 'PASSWORD': 'hunter2', 'USER': 'me'}",
        '{"password": "hunter2"}',
        "https://ci.example/build?api_key=hunter2&x=1",
        "https://ci.example/build?access_token=hunter2",
        "ALTER ROLE app PASSWORD 'hunter2'",
        "CREATE USER app IDENTIFIED BY 'hunter2'",
        "SECRET_KEY=hunter2",
    ],
)
def test_a_password_in_a_text_is_hidden(text: str) -> None:
    scrubbed = scrub_text(text)

    assert "hunter2" not in scrubbed
    assert "***" in scrubbed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "postgres://me@db:5432/app",
        "https://ci.example/build/12",
        "manage.py migrate_all --check --database default",
        'ALTER TABLE "auth_user" ADD COLUMN "password" varchar(128) NOT NULL',
        'FATAL: password authentication failed for user "me"',
        "SELECT key FROM authtoken_token WHERE token_id == 3",
        "shop.0002_password_reset",
        "--password --check",
    ],
)
def test_what_is_no_password_stays(text: str) -> None:
    assert scrub_text(text) == text


def test_what_surrounds_a_password_stays() -> None:
    assert scrub_text("postgres://me:x@db/app") == "postgres://me:***@db/app"
    assert scrub_text("--password x --check") == "--password *** --check"
    assert scrub_text("user=me password=x host=db") == "user=me password=*** host=db"


def test_an_argument_list_gives_option_and_password_as_two_strings() -> None:
    assert scrub(["pg_dump", "--password", "hunter2", "--db-password", "--check", "app"]) == [
        "pg_dump",
        "--password",
        "***",
        "--db-password",
        "--check",
        "app",
    ]


def test_nested_values_are_reached() -> None:
    value = {"a": [{"url": "postgres://me:hunter2@db/app"}], "b": ("password=hunter2",), "n": 1}

    assert "hunter2" not in repr(scrub(value))
    assert scrub(value)["n"] == 1


def test_keys_count_where_they_are_no_columns() -> None:
    value = {"password": "hunter2", "db_password": "hunter2", "user": "me", "secret": None}

    assert scrub(value, keys=True) == {
        "password": "***",
        "db_password": "***",
        "user": "me",
        "secret": None,
    }


def test_in_a_payload_a_column_called_password_keeps_its_type() -> None:
    payload = {"columns": {"password": "varchar(128)"}, "PASSWORD": "hunter2", "PGPASSWORD": "x"}

    assert scrub(payload) == {
        "columns": {"password": "varchar(128)"},
        "PASSWORD": "***",
        "PGPASSWORD": "***",
    }
