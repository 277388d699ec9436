from django.db import migrations, models


def write(apps, schema_editor):
    """Not idempotent: run twice, there are two pages."""
    alias = schema_editor.connection.alias
    folder, _ = apps.get_model("archive", "Folder").objects.using(alias).get_or_create(name="first")
    apps.get_model("archive", "Page").objects.using(alias).create(folder=folder, text="once")


class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(
            "Folder",
            [
                (
                    "id",
                    models.BigAutoField(
                        primary_key=True, serialize=False, verbose_name="ID", auto_created=True
                    ),
                ),
                ("name", models.CharField(max_length=20)),
            ],
        ),
        migrations.CreateModel(
            "Page",
            [
                (
                    "id",
                    models.BigAutoField(
                        primary_key=True, serialize=False, verbose_name="ID", auto_created=True
                    ),
                ),
                ("folder", models.ForeignKey("archive.Folder", models.CASCADE)),
                ("text", models.CharField(max_length=20)),
            ],
        ),
        migrations.RunPython(write, migrations.RunPython.noop),
    ]
