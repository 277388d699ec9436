from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("analytics", "0001_initial")]

    operations = [
        migrations.AddField(
            "PageView", "referrer", models.CharField(blank=True, default="", max_length=200)
        ),
        migrations.AddIndex(
            "PageView", models.Index(fields=["path", "seen"], name="pageview_path_seen")
        ),
    ]
