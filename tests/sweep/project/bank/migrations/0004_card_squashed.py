from django.db import migrations, models


class Migration(migrations.Migration):
    """A squash records itself and what it replaces: three rows."""

    replaces = [("bank", "0004_card"), ("bank", "0005_card_expires")]
    dependencies = [("bank", "0003_interest")]
    operations = [
        migrations.CreateModel(
            "Card",
            [
                (
                    "id",
                    models.BigAutoField(
                        primary_key=True, serialize=False, verbose_name="ID", auto_created=True
                    ),
                ),
                ("number", models.CharField(max_length=16)),
                ("account", models.ForeignKey("bank.Account", models.CASCADE)),
                ("expires", models.DateField(null=True)),
            ],
        )
    ]
