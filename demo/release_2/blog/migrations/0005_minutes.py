import os
import time

from django.db import migrations, models


def count_minutes(apps, schema_editor):
    """A data migration with work to do; DEMO_SLOW makes each row take that many seconds."""
    posts = apps.get_model("blog", "Post").objects.using(schema_editor.connection.alias)
    for post in posts.order_by("pk"):
        post.minutes = len(post.text.split()) // 200
        post.save(update_fields=["minutes"])
        time.sleep(float(os.environ.get("DEMO_SLOW", "0")))


class Migration(migrations.Migration):
    dependencies = [("blog", "0004_first_posts")]

    operations = [
        migrations.AddField("Post", "minutes", models.IntegerField(default=0)),
        migrations.RunPython(count_minutes, migrations.RunPython.noop),
    ]
