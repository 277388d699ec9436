from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0002_review")]

    operations = [migrations.AddField("Product", "stock", models.IntegerField(default=0))]
