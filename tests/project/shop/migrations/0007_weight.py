from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0006_order")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE shop_product ADD COLUMN weight integer NULL",
            "ALTER TABLE shop_product DROP COLUMN weight",
            state_operations=[
                migrations.AddField("Product", "weight", models.IntegerField(null=True))
            ],
        ),
    ]
