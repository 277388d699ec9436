from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("library", "0001_initial")]

    operations = [
        migrations.RenameModel("Volume", "Book"),
        migrations.RenameField("Author", "name", "full_name"),
        migrations.AddField("Book", "subtitle", models.CharField(default="", max_length=200)),
        migrations.RemoveField("Book", "legacy_code"),
        migrations.AddField(
            "Author", "mentor", models.ForeignKey("library.Author", models.SET_NULL, null=True)
        ),
    ]
