from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("library", "0003_alter")]

    operations = [
        migrations.AddIndex("Book", models.Index(fields=["title"], name="title_idx")),
        migrations.RenameIndex("Book", new_name="book_title_idx", old_name="title_idx"),
        migrations.AddIndex(
            "Book",
            models.Index(
                fields=["-pages"], name="book_long_idx", condition=models.Q(pages__gt=500)
            ),
        ),
        migrations.AddConstraint(
            "Book",
            models.UniqueConstraint(fields=["author", "title"], name="book_once_per_author"),
        ),
        migrations.AddConstraint(
            "Book",
            models.CheckConstraint(condition=~models.Q(title=""), name="book_has_title"),
        ),
    ]
