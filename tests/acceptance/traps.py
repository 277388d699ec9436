"""One small app for each trap: migrations that are healthy and that a naive scanner stumbles on."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

POSTGRES = "postgresql"
App = dict[str, Any]


def migration(operations: str, *, needs: str = "", extra: str = "", before: str = "") -> str:
    """The source of a migration; `before` goes above the class, `extra` into it."""
    return (
        "from django.db import migrations, models\n"
        "from django.db.models.deletion import CASCADE\n\n"
        f"{dedent(before)}\n\n"
        "class Migration(migrations.Migration):\n"
        f"    dependencies = [{needs}]\n"
        f"{extra and f'    {extra}' + chr(10)}"
        f"    operations = [{operations}]\n"
    )


def create(name: str, *fields: str, options: str = "") -> str:
    """A CreateModel with an id."""
    inner = ", ".join(("('id', models.AutoField(primary_key=True))", *fields))
    return f"migrations.CreateModel('{name}', [{inner}], options={{{options}}})"


def run(sql: str, *, state: str = "") -> str:
    """A RunSQL, with the state operations that say what it is for."""
    return f"migrations.RunSQL({dedent(sql)!r}{state and f', state_operations=[{state}]'})"


def app(*sources: str, names: tuple[str, ...] = (), **files: str) -> App:
    """An app with these migrations, in order, each depending on the one before."""
    names = names or tuple(f"{number:04}_m" for number in range(1, len(sources) + 1))
    return {"migrations": dict(zip(names, sources, strict=True)), **files}


def after(label: str, name: str = "0001_m") -> str:
    """A dependency."""
    return f"('{label}', '{name}')"


TEXT = "('text', models.CharField(max_length=20))"
EVERYWHERE: dict[str, App] = {}
ON_POSTGRES: dict[str, App] = {}
OPAQUE: dict[str, App] = {}
"""On PostgreSQL: code that may touch any table, so that state alone proves nothing any more."""

# -- names ---------------------------------------------------------------------------------

EVERYWHERE["renamed"] = app(
    migration(
        create("Old", TEXT, "('other', models.CharField(max_length=9, db_index=True))")
        + ", "
        + create("Ref", "('old', models.ForeignKey('renamed.Old', CASCADE))")
        + ", "
        + "migrations.AddField('Ref', 'many', "
        "models.ManyToManyField('renamed.Old', related_name='+'))"
    ),
    migration(
        "migrations.RenameModel('Old', 'New'), "
        "migrations.AlterModelTable('New', 'renamed_elsewhere'), "
        "migrations.RenameField('New', 'text', 'words'), "
        "migrations.AlterField('New', 'other', "
        "models.CharField(max_length=9, db_column='Another'))",
        needs=after("renamed"),
    ),
)
EVERYWHERE["by_sql"] = app(
    migration(create("Thing", TEXT)),
    migration(
        "migrations.RunSQL('ALTER TABLE by_sql_thing RENAME TO by_sql_item', "
        "state_operations=[migrations.RenameModel('Thing', 'Item')])",
        needs=after("by_sql"),
    ),
    migration(
        "migrations.AddField('Item', 'extra', models.IntegerField(null=True))",
        needs=after("by_sql", "0002_m"),
    ),
)
EVERYWHERE["swapped"] = app(
    migration(
        create("Plain", TEXT, options="'swappable': 'TRAP_MODEL'")
        + ", "
        + create("Own", TEXT)
        + ", "
        + create("Uses", "('one', models.ForeignKey(settings.TRAP_MODEL, CASCADE))"),
        before="from django.conf import settings",
    ),
)
SQUASHED = [
    create("Item", TEXT),
    "migrations.AddField('Item', 'passing', models.IntegerField(default=1))",
    "migrations.RemoveField('Item', 'passing')",
    "migrations.AddField('Item', 'stays', models.IntegerField(default=1))",
]
EVERYWHERE["squashed"] = app(
    migration(SQUASHED[0]),
    migration(SQUASHED[1], needs=after("squashed")),
    migration(SQUASHED[2], needs=after("squashed", "0002_m")),
    migration(SQUASHED[3], needs=after("squashed", "0003_m")),
    migration(
        ", ".join((SQUASHED[0], SQUASHED[3])),
        extra="replaces = [('squashed', f'000{n}_m') for n in (1, 2, 3, 4)]",
    ),
    migration(
        "migrations.AddField('Item', 'later', models.IntegerField(null=True))",
        needs=after("squashed", "0001_squashed"),
    ),
    names=("0001_m", "0002_m", "0003_m", "0004_m", "0001_squashed", "0005_m"),
)
EVERYWHERE["gone_files"] = app(
    migration(
        create("Item", TEXT),
        extra="replaces = [('gone_files', f'{n:04}_gone') for n in range(1, 60)]",
    ),
)
EVERYWHERE["twice"] = app(
    migration(create("Item", TEXT), extra="replaces = [('twice', '0001_a'), ('twice', '0002_b')]")
)
EVERYWHERE["twice_more"] = app(
    migration(
        create("Item", TEXT), extra="replaces = [('twice', '0001_a'), ('twice_more', '0001_x')]"
    )
)
LONG = "name_that_is_longer_than_sixty_three_characters_and_goes_on_and_on_for_ever"
EVERYWHERE["lengthy"] = app(
    migration(
        create(
            "Item",
            TEXT,
            "('ref', models.ForeignKey('contenttypes.ContentType', CASCADE, "
            f"db_column='r_{LONG[:55]}'))",
            options=f"'db_table': 'lengthy_{LONG[:50]}', 'unique_together': {{('text', 'ref')}}",
        )
        + ", "
        + create("Other", TEXT, options=f"'db_table': 'lengthy_{LONG}'")
        + ", "
        + create(
            "Many",
            "('items', models.ManyToManyField('lengthy.Item'))",
            options=f"'db_table': 'lengthy_many_{LONG[:45]}'",
        ),
        needs=after("contenttypes", "0002_remove_content_type_name"),
    ),
)
EVERYWHERE["plain_integer"] = app(
    migration(
        create("Target", TEXT)
        + ", "
        + create(
            "Item",
            "('target', models.ForeignKey('plain_integer.Target', CASCADE))",
            "('single', models.OneToOneField('plain_integer.Target', CASCADE, related_name='+'))",
        )
    ),
    migration(
        "migrations.AlterField('Item', 'target', models.IntegerField(db_column='target_id')), "
        "migrations.AlterField('Item', 'single', models.ForeignKey('plain_integer.Target', "
        "CASCADE, related_name='+', db_constraint=False))",
        needs=after("plain_integer"),
    ),
)
EVERYWHERE["circle_a"] = app(
    migration(create("A", TEXT)),
    migration(
        "migrations.AddField('A', 'b', models.ForeignKey('circle_b.B', CASCADE, null=True))",
        needs=f"{after('circle_a')}, {after('circle_b')}",
        extra="initial = True",
    ),
)
EVERYWHERE["circle_b"] = app(
    migration(
        create("B", "('a', models.ForeignKey('circle_a.A', CASCADE))"), needs=after("circle_a")
    )
)
EVERYWHERE["again"] = app(
    migration(create("Item", "('value', models.IntegerField(default=0))")),
    migration(
        "migrations.RemoveField('Item', 'value'), "
        "migrations.AddField('Item', 'value', models.IntegerField(default=0))",
        needs=after("again"),
    ),
)
EVERYWHERE["kept_column"] = app(
    migration(create("Item", TEXT, "('old', models.IntegerField(null=True))")),
    migration(
        "migrations.SeparateDatabaseAndState(state_operations=["
        "migrations.RemoveField('Item', 'old')])",
        needs=after("kept_column"),
    ),
)

# -- state and schema differ, and all is well ---------------------------------------------

RECEIVER = """
from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate


def widen(using, **kwargs):
    if using != "default" or connections[using].vendor != "postgresql":
        return
    with connections[using].cursor() as cursor:
        cursor.execute("ALTER TABLE widened_item ALTER COLUMN id TYPE bigint")
        cursor.execute("ALTER TABLE widened_ref ALTER COLUMN item_id TYPE bigint")


class Config(AppConfig):
    name = "widened"

    def ready(self):
        post_migrate.connect(widen, sender=self)
"""
EVERYWHERE["widened"] = app(
    migration(
        create("Item", TEXT)
        + ", "
        + create("Ref", "('item', models.ForeignKey('widened.Item', CASCADE))")
    ),
    apps=RECEIVER,
)
MOVED = "('code', models.CharField(max_length=9, db_index=True))"
EVERYWHERE["moved_from"] = app(
    migration(
        create("Thing", MOVED)
        + ", "
        + create("Stays", "('thing', models.ForeignKey('moved_from.Thing', CASCADE))")
    ),
    migration(
        "migrations.SeparateDatabaseAndState("
        "database_operations=[migrations.AlterModelTable('Thing', 'moved_to_thing')], "
        "state_operations=[migrations.RemoveField('Thing', 'code')])",
        needs=after("moved_from"),
    ),
)
EVERYWHERE["moved_to"] = app(
    migration(
        "migrations.SeparateDatabaseAndState(state_operations=["
        # The state half forgets the index.
        + create("Thing", "('code', models.CharField(max_length=9))")
        + "])",
        needs=after("moved_from", "0002_m"),
    ),
    migration(
        "migrations.AddField('Thing', 'since', models.DateField(null=True))",
        needs=after("moved_to"),
    ),
)
EVERYWHERE["left_index"] = app(
    migration(
        create("Item", "('code', models.CharField(max_length=9, db_index=True))")
        + ", migrations.AlterField('Item', 'code', models.CharField(max_length=9))"
    )
)
EVERYWHERE["one_to_one"] = app(
    migration(
        create("Target", TEXT)
        + ", "
        + create("Item", "('target', models.OneToOneField('one_to_one.Target', CASCADE))")
    ),
    migration(
        "migrations.SeparateDatabaseAndState(state_operations=[migrations.AlterField("
        "'Item', 'target', models.ForeignKey('one_to_one.Target', CASCADE))])",
        needs=after("one_to_one"),
    ),
)
EVERYWHERE["unique_by_index"] = app(
    migration(create("Item", TEXT, "('number', models.IntegerField())")),
    migration(
        "migrations.SeparateDatabaseAndState(database_operations=[migrations.RunSQL("
        "'CREATE UNIQUE INDEX unique_by_index_ix ON unique_by_index_item (number, text)')], "
        "state_operations=[migrations.AlterUniqueTogether('Item', {('text', 'number')})])",
        needs=after("unique_by_index"),
    ),
)
EVERYWHERE["renamed_in_state"] = app(
    migration(
        create("Item", TEXT, options="'indexes': [models.Index(fields=['text'], name='ris_old')]")
    ),
    migration(
        "migrations.SeparateDatabaseAndState(state_operations=["
        "migrations.RenameIndex('Item', new_name='ris_new', old_name='ris_old')])",
        needs=after("renamed_in_state"),
    ),
)
EVERYWHERE["reference_state"] = app(
    migration(
        create("Target", TEXT)
        + ", "
        + create(
            "Item",
            "('one', models.ForeignKey('reference_state.Target', CASCADE, related_name='+'))",
            "('two', models.ForeignKey('reference_state.Target', CASCADE, related_name='+', "
            "db_constraint=False))",
        )
    ),
    migration(
        "migrations.SeparateDatabaseAndState(state_operations=["
        "migrations.AlterField('Item', 'one', models.ForeignKey('reference_state.Target', "
        "CASCADE, related_name='+', db_constraint=False)), "
        "migrations.AlterField('Item', 'two', models.ForeignKey('reference_state.Target', "
        "CASCADE, related_name='+'))])",
        needs=after("reference_state"),
    ),
)
EVERYWHERE["in_background"] = app(
    migration(create("Item", TEXT)),
    migration(
        "migrations.SeparateDatabaseAndState(state_operations=["
        "migrations.AddIndex('Item', models.Index(fields=['text'], name='built_later'))])",
        needs=after("in_background"),
    ),
)
OPAQUE["by_python"] = app(
    migration(
        "migrations.RunPython(change)",
        needs=after("altered"),
        before="""
        def change(apps, editor):
            if editor.connection.alias != "default":
                return
            editor.execute("CREATE INDEX by_python_ix ON altered_item (lower(text))")
            editor.execute("ALTER TABLE altered_item ADD COLUMN surprise integer NULL")
        """,
    ),
)
OPAQUE["altered"] = app(migration(create("Item", TEXT)))
EVERYWHERE["when_it_fits"] = app(
    migration(
        "AddFieldIfExists('Item', 'more', models.IntegerField(null=True))",
        needs=after("when_it_fits_base"),
        before="""
        class AddFieldIfExists(migrations.AddField):
            def state_forwards(self, app_label, state):
                super().state_forwards("when_it_fits_base", state)

            def database_forwards(self, app_label, editor, before, after):
                pass
        """,
    )
)
EVERYWHERE["when_it_fits_base"] = app(migration(create("Item", TEXT)))
EVERYWHERE["by_settings"] = app(
    migration(
        create("Item", "('value', Sized())"),
        before="""
        from django.conf import settings
        from django.db import connection

        VENDOR = connection.vendor


        class Sized(models.Field):
            def db_type(self, connection):
                if connection.vendor == "sqlite":
                    return "text"
                return f"varchar({settings.TRAP_SIZE})" if VENDOR == connection.vendor else "text"
        """,
    )
)
EVERYWHERE["generated"] = app(
    migration(
        create(
            "Item",
            TEXT,
            "('length', models.GeneratedField(expression=Length('text'), db_persist=True, "
            "output_field=Odd()))",
        ),
        before="""
        from django.db.models.functions import Length


        class Odd(models.IntegerField):
            def get_internal_type(self):
                return "Odd"

            def db_type(self, connection):
                return "integer"

            def db_parameters(self, connection):
                return {"type": "integer", "check": None}
        """,
    )
)
EVERYWHERE["inherits"] = app(
    migration(
        create("Parent", TEXT)
        + ", migrations.CreateModel('Child', [('parent_ptr', models.OneToOneField("
        "'inherits.Parent', CASCADE, auto_created=True, parent_link=True, primary_key=True, "
        "serialize=False)), ('deep', models.IntegerField(db_index=True))], "
        "bases=('inherits.parent',)), "
        "migrations.CreateModel('Seen', [], options={'proxy': True}, bases=('inherits.parent',)), "
        "migrations.CreateModel('View', [('id', models.AutoField(primary_key=True))], "
        "options={'managed': False})"
    ),
    migration("migrations.AlterOrderWithRespectTo('Child', 'parent_ptr')", needs=after("inherits")),
)

# -- PostgreSQL ----------------------------------------------------------------------------

ON_POSTGRES["elsewhere"] = app(
    migration(
        "migrations.RunSQL('CREATE SCHEMA IF NOT EXISTS other_place'), "
        + create("Item", TEXT, options="""'db_table': 'other_place"."item'""")
        + ", "
        + create("Ref", "('item', models.ForeignKey('elsewhere.Item', CASCADE))")
    )
)
OPAQUE["filled"] = app(
    migration(create("Item", TEXT)),
    migration(
        run(
            """
            ALTER TABLE filled_item ADD COLUMN search text NOT NULL;
            CREATE FUNCTION filled() RETURNS trigger AS
            $$ BEGIN NEW.search := NEW.text; RETURN NEW; END $$ LANGUAGE plpgsql;
            CREATE TRIGGER fill BEFORE INSERT OR UPDATE ON filled_item
            FOR EACH ROW EXECUTE FUNCTION filled()
            """
        ),
        needs=after("filled"),
    ),
)
OPAQUE["exotic"] = app(
    migration(
        run(
            """
            CREATE DOMAIN short AS varchar(9) CHECK (length(VALUE) > 0);
            CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE SEQUENCE exotic_free;
            CREATE FUNCTION overloaded(a integer) RETURNS integer AS 'SELECT 1' LANGUAGE sql;
            CREATE FUNCTION overloaded(a text) RETURNS integer AS 'SELECT 2' LANGUAGE sql
            """
        )
        + ", "
        + create(
            "Item",
            "('short', Custom('short'))",
            "('mood', Custom('mood', null=True))",
            "('tags', ArrayField(models.CharField(max_length=5), size=3))",
            "('nested', ArrayField(ArrayField(models.IntegerField())))",
            "('span', IntegerRangeField(null=True))",
            "('when', DateTimeRangeField(null=True))",
            "('search', SearchVectorField(null=True))",
            "('sorted', models.CharField(max_length=9, db_collation='C', db_index=True))",
            "('address', models.GenericIPAddressField(null=True))",
            "('raw', models.BinaryField())",
            "('took', models.DurationField(null=True))",
            "('both', models.GeneratedField(expression=models.F('id') + 1, db_persist=True, "
            "output_field=models.BigIntegerField()))",
            "('at', models.DateTimeField(db_default=Now()))",
            options="'indexes': [GinIndex(fields=['tags'], name='exotic_gin'), "
            "BrinIndex(fields=['at'], name='exotic_brin', autosummarize=True), "
            "GistIndex(fields=['span'], name='exotic_gist'), "
            "HashIndex(fields=['sorted'], name='exotic_hash'), "
            "models.Index(OpClass(Upper('sorted'), 'text_pattern_ops'), "
            "name='exotic_up')]",
        )
        + ", "
        + run("CREATE MATERIALIZED VIEW exotic_view AS SELECT id FROM exotic_item")
        + ", "
        + create("View", options="'managed': False, 'db_table': 'exotic_view'")
        + ", "
        + run(
            """
            CREATE TABLE exotic_parts (id integer, at date) PARTITION BY RANGE (at);
            CREATE TABLE exotic_parts_1 PARTITION OF exotic_parts DEFAULT
            """
        ),
        before="""
        from django.contrib.postgres.fields import (
            ArrayField, DateTimeRangeField, IntegerRangeField,
        )
        from django.contrib.postgres.indexes import (
            BrinIndex, GinIndex, GistIndex, HashIndex, OpClass,
        )
        from django.contrib.postgres.search import SearchVectorField
        from django.db.models.functions import Now, Upper


        class Custom(models.Field):
            def __init__(self, kind, **options):
                self.kind = kind
                super().__init__(**options)

            def deconstruct(self):
                name, path, args, kwargs = super().deconstruct()
                return name, path, [self.kind, *args], kwargs

            def db_type(self, connection):
                return self.kind
        """,
    )
)
OPAQUE["constraint_trigger"] = app(
    migration(create("Item", TEXT)),
    migration(
        run(
            """
            CREATE FUNCTION nothing() RETURNS trigger AS
            'BEGIN RETURN NULL; END' LANGUAGE plpgsql
            """
        )
        + ", "
        + run(
            """
            CREATE CONSTRAINT TRIGGER late AFTER INSERT ON constraint_trigger_item
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION nothing()
            """
        ),
        needs=after("constraint_trigger"),
    ),
)
OPAQUE["concurrently"] = app(
    migration(create("Item", TEXT, "('number', models.IntegerField())")),
    migration(
        "AddIndexConcurrently('Item', models.Index(fields=['number'], name='conc_ix')), "
        "migrations.RunSQL('CREATE UNIQUE INDEX CONCURRENTLY conc_uq "
        "ON concurrently_item (text, number)', state_operations=["
        "migrations.AddConstraint('Item', models.UniqueConstraint(fields=['text', 'number'], "
        "name='conc_state_name'))]), "
        "migrations.RunPython(second_connection)",
        needs=after("concurrently"),
        extra="atomic = False",
        before="""
        from django.contrib.postgres.operations import AddIndexConcurrently


        def second_connection(apps, editor):
            other = editor.connection.copy()
            try:
                with other.cursor() as cursor:
                    cursor.execute(
                        "CREATE INDEX CONCURRENTLY conc_gin ON concurrently_item "
                        "USING gin (to_tsvector('simple', text))"
                    )
            finally:
                other.close()
        """,
    ),
)
ON_POSTGRES["not_valid"] = app(
    migration(create("Item", TEXT)),
    migration(
        "AddConstraintNotValid('Item', models.CheckConstraint(condition=~models.Q(text=''), "
        "name='not_empty'))",
        needs=after("not_valid"),
        before="from django.contrib.postgres.operations import AddConstraintNotValid",
    ),
)
ON_POSTGRES["of_the_cluster"] = app(
    migration(run("ALTER ROLE CURRENT_USER SET migrator.trap = 'on'"))
)
ON_POSTGRES["serial"] = app(
    migration(
        create("Item", TEXT)
        + ", "
        + run(
            """
            ALTER TABLE serial_item ALTER COLUMN id DROP IDENTITY;
            CREATE SEQUENCE serial_item_id_seq OWNED BY serial_item.id;
            ALTER TABLE serial_item ALTER COLUMN id SET DEFAULT nextval('serial_item_id_seq')
            """
        )
    )
)
