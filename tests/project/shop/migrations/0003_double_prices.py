from django.db import migrations, models


def double(apps, schema_editor):
    """Run twice, the gift card costs 40.00."""
    products = apps.get_model("shop", "Product").objects.using(schema_editor.connection.alias)
    products.update(price=models.F("price") * 2)


def halve(apps, schema_editor):
    products = apps.get_model("shop", "Product").objects.using(schema_editor.connection.alias)
    products.update(price=models.F("price") / 2)


class Migration(migrations.Migration):
    dependencies = [("shop", "0002_seed")]

    operations = [
        migrations.RunPython(double, halve),
        migrations.RunSQL(
            "UPDATE shop_product SET stock = stock + 1", "UPDATE shop_product SET stock = stock - 1"
        ),
    ]
