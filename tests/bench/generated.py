"""A generated project: many models over several apps, with foreign keys and a history."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.projects import Project, make_project

MODEL_FIELDS = """\
                ("id", models.BigAutoField(auto_created=True, primary_key=True,
                    serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=100, db_index=True)),
                ("amount", models.DecimalField(max_digits=9, decimal_places=2)),
                ("created", models.DateTimeField(auto_now_add=True)),
                ("active", models.BooleanField(default=True)),
{keys}"""


def write_generated_project(
    root: Path, *, settings: dict[str, Any], models: int, apps: int, history: bool = True
) -> Project:
    """Write a project of `models` models, spread evenly over `apps` apps.

    Each app has four migrations: its tables; one more field on every fifth of them, with an
    index on every tenth; a constraint on every tenth; a data migration. The models of an app
    form a tree, and the first of every other app points into the app before.

    Args:
        root: Its directory.
        settings: The DATABASES entry of default.
        models: How many models in all.
        apps: Over how many apps.
        history: Without it, each app has its first migration only.
    """
    per_app = models // apps
    written = {}
    for number in range(apps):
        label = f"app{number:02d}"
        migrations = {"0001_initial": _initial(number, per_app)}
        if history:
            migrations["0002_note"] = _note(label, per_app)
            migrations["0003_positive"] = _positive(label, per_app)
            migrations["0004_data"] = _data(label)
        models_source = _models(number, per_app, history=history)
        written[label] = {"models": models_source, "migrations": migrations}
    return make_project(root, databases={"default": settings}, apps=written)


def _key(app: int, model: int) -> str:
    """The target of a model's foreign key; "" for none."""
    if model:
        return f"app{app:02d}.Model{model // 4:03d}"
    return f"app{app - 1:02d}.Model000" if app % 2 else ""


def _models(app: int, count: int, *, history: bool) -> str:
    lines = ["from django.db import models", ""]
    for model in range(count):
        key = _key(app, model)
        lines += [
            f"class Model{model:03d}(models.Model):",
            "    name = models.CharField(max_length=100, db_index=True)",
            "    amount = models.DecimalField(max_digits=9, decimal_places=2)",
            "    created = models.DateTimeField(auto_now_add=True)",
            "    active = models.BooleanField(default=True)",
        ]
        if key:
            lines.append(f'    parent = models.ForeignKey("{key}", models.CASCADE, null=True)')
        if history and model % 5 == 0:
            lines.append('    note = models.CharField(max_length=50, default="")')
        if history and model % 10 == 0:
            lines += [
                "    class Meta:",
                f'        indexes = [models.Index(fields=["note"], name="a{app}_m{model}_note")]',
                "        constraints = [models.CheckConstraint(",
                f'            condition=models.Q(amount__gte=0), name="a{app}_m{model}_positive")]',
            ]
        lines.append("")
    return "\n".join(lines)


def _migration(body: str, dependencies: str, functions: str = "") -> str:
    return (
        f"from django.db import migrations, models\n\n{functions}\n"
        f"class Migration(migrations.Migration):\n    dependencies = {dependencies}\n"
        f"    operations = [\n{body}    ]\n"
    )


def _initial(app: int, count: int) -> str:
    body = ""
    for model in range(count):
        key = _key(app, model)
        keys = f'                ("parent", models.ForeignKey("{key}", models.CASCADE, null=True)),'
        fields = MODEL_FIELDS.format(keys=keys if key else "")
        body += f'        migrations.CreateModel("Model{model:03d}", [\n{fields}\n        ]),\n'
    return _migration(body, f'[("app{app - 1:02d}", "0001_initial")]' if app else "[]")


def _note(label: str, count: int) -> str:
    number = int(label.removeprefix("app"))
    body = "".join(
        f'        migrations.AddField("Model{model:03d}", "note",'
        f' models.CharField(max_length=50, default="")),\n'
        for model in range(0, count, 5)
    )
    body += "".join(
        f'        migrations.AddIndex("Model{model:03d}",'
        f' models.Index(fields=["note"], name="a{number}_m{model}_note")),\n'
        for model in range(0, count, 10)
    )
    return _migration(body, f'[("{label}", "0001_initial")]')


def _positive(label: str, count: int) -> str:
    number = int(label.removeprefix("app"))
    body = "".join(
        f'        migrations.AddConstraint("Model{model:03d}", models.CheckConstraint('
        f'condition=models.Q(amount__gte=0), name="a{number}_m{model}_positive")),\n'
        for model in range(0, count, 10)
    )
    return _migration(body, f'[("{label}", "0002_note")]')


def _data(label: str) -> str:
    functions = (
        "def fill(apps, schema_editor):\n"
        f'    model = apps.get_model("{label}", "Model000")\n'
        "    rows = model.objects.using(schema_editor.connection.alias)\n"
        '    rows.create(name="first", amount=1)\n\n'
    )
    body = "        migrations.RunPython(fill, migrations.RunPython.noop),\n"
    return _migration(body, f'[("{label}", "0003_positive")]', functions)
