import djmoney.models.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    operations = [
        migrations.CreateModel(
            name="Product",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                (
                    "price_currency",
                    djmoney.models.fields.CurrencyField(
                        choices=[("GBP", "British Pound"), ("EUR", "Euro"), ("USD", "US Dollar")],
                        default="EUR",
                        editable=False,
                        max_length=3,
                    ),
                ),
                (
                    "price",
                    djmoney.models.fields.MoneyField(
                        decimal_places=2, default_currency="EUR", max_digits=10
                    ),
                ),
            ],
        ),
    ]
