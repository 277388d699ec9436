from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("museum", "0002_indexes")]

    operations = [
        migrations.AddField("Painting", "restored", models.DateTimeField(null=True)),
        migrations.AddField("Exhibit", "rating", models.BigIntegerField(db_default=0)),
        migrations.AlterField("Painting", "painter", models.CharField(max_length=80)),
    ]
