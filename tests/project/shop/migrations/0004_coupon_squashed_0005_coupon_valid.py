from django.db import migrations, models


class Migration(migrations.Migration):
    replaces = [("shop", "0004_coupon"), ("shop", "0005_coupon_valid")]

    dependencies = [("shop", "0003_double_prices")]

    operations = [
        migrations.CreateModel(
            name="Coupon",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("code", models.CharField(max_length=20, unique=True)),
                ("valid_until", models.DateField(null=True)),
            ],
        ),
    ]
