from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0003_stock")]

    operations = [migrations.AddField("Review", "text", models.TextField(default=""))]
