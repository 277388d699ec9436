from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("blog", "0002_tags")]

    operations = [
        migrations.AddField("Post", "summary", models.CharField(default="", max_length=300)),
    ]
