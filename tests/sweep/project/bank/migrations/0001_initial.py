from django.db import migrations, models


class Migration(migrations.Migration):
    """Foreign keys: Django defers SQL, and writes the row after the commit."""

    initial = True
    operations = [
        migrations.CreateModel(
            "Customer",
            [
                (
                    "id",
                    models.BigAutoField(
                        primary_key=True, serialize=False, verbose_name="ID", auto_created=True
                    ),
                ),
                ("name", models.CharField(max_length=40)),
            ],
        ),
        migrations.CreateModel(
            "Tag",
            [
                (
                    "id",
                    models.BigAutoField(
                        primary_key=True, serialize=False, verbose_name="ID", auto_created=True
                    ),
                ),
                ("label", models.CharField(max_length=20, unique=True)),
            ],
        ),
        migrations.CreateModel(
            "Account",
            [
                (
                    "id",
                    models.BigAutoField(
                        primary_key=True, serialize=False, verbose_name="ID", auto_created=True
                    ),
                ),
                ("customer", models.ForeignKey("bank.Customer", models.CASCADE)),
                ("balance", models.IntegerField(default=0)),
                ("tags", models.ManyToManyField("bank.Tag")),
            ],
        ),
        migrations.CreateModel(
            "Deposit",
            [
                (
                    "id",
                    models.BigAutoField(
                        primary_key=True, serialize=False, verbose_name="ID", auto_created=True
                    ),
                ),
                ("account", models.ForeignKey("bank.Account", models.CASCADE)),
                ("amount", models.IntegerField()),
            ],
        ),
    ]
