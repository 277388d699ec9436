from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("shop", "0005_coupon_valid")]

    operations = [
        migrations.CreateModel(
            name="Order",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("quantity", models.IntegerField(default=1)),
                ("unit_price", models.DecimalField(decimal_places=2, max_digits=9)),
                (
                    "total",
                    models.GeneratedField(
                        db_persist=True,
                        expression=models.F("quantity") * models.F("unit_price"),
                        output_field=models.DecimalField(decimal_places=2, max_digits=12),
                    ),
                ),
                ("status", models.CharField(db_default="new", max_length=10)),
                ("created", models.DateTimeField(db_default=Now())),
                ("customer", models.ForeignKey("shop.Customer", models.CASCADE)),
                ("product", models.ForeignKey("shop.Product", models.PROTECT)),
            ],
        ),
        migrations.CreateModel(
            name="Review",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("stars", models.SmallIntegerField()),
                ("text", models.TextField(blank=True)),
                ("product", models.ForeignKey("shop.Product", models.CASCADE)),
            ],
        ),
    ]
