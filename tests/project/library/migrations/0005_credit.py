from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("library", "0004_indexes")]

    operations = [
        migrations.CreateModel(
            name="Credit",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("role", models.CharField(max_length=20)),
                ("author", models.ForeignKey("library.Author", models.CASCADE)),
                ("book", models.ForeignKey("library.Book", models.CASCADE)),
            ],
        ),
        migrations.AlterUniqueTogether("Credit", {("book", "author")}),
        migrations.AddField(
            "Book",
            "editors",
            models.ManyToManyField(
                "library.Author", through="library.Credit", related_name="edited"
            ),
        ),
        migrations.CreateModel(
            name="RecordOfALoanWhoseNameIsAlmostTooLongForPostgreSQL",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("book", models.ForeignKey("library.Book", models.CASCADE)),
                (
                    "readers_of_the_loan_with_a_long_name_of_their_own",
                    models.ManyToManyField("library.Author"),
                ),
            ],
        ),
    ]
