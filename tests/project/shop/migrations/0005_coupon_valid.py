from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0004_coupon")]

    operations = [
        migrations.AddField("Coupon", "valid_until", models.DateField(null=True)),
        migrations.RemoveField("Coupon", "amount"),
    ]
