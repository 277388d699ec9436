from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("bank", "0004_card")]
    operations = [migrations.AddField("Card", "expires", models.DateField(null=True))]
