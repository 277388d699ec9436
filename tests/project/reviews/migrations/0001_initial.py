from django.db import migrations, models


class Migration(migrations.Migration):
    """Takes shop.Review over in state; the table is shop's old one."""

    initial = True

    dependencies = [("shop", "0008_search")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name="Review",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("stars", models.SmallIntegerField()),
                        ("text", models.TextField(blank=True)),
                        ("product", models.ForeignKey("shop.Product", models.CASCADE)),
                    ],
                    options={"db_table": "shop_review"},
                ),
            ],
        ),
    ]
