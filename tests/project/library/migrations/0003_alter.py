from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("library", "0002_book")]

    operations = [
        migrations.AlterField("Book", "pages", models.PositiveIntegerField(null=True)),
        migrations.AlterField(
            "Book", "isbn", models.CharField(db_column="isbn13", max_length=17, unique=True)
        ),
        migrations.AlterModelTable("Author", "library_writers"),
    ]
