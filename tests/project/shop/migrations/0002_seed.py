from django.db import migrations, models


def add_gift_card(apps, schema_editor):
    """Not idempotent on purpose: run twice, there are two gift cards."""
    products = apps.get_model("shop", "Product").objects.using(schema_editor.connection.alias)
    products.create(name="Gift card", sku="GIFT", price=10, stock=1)


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]

    operations = [
        migrations.AddField("Product", "stock", models.IntegerField(default=0)),
        migrations.RunPython(add_gift_card, migrations.RunPython.noop),
    ]
