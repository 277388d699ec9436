from django.db import migrations

POSTS = 24


def write_posts(apps, schema_editor):
    posts = apps.get_model("blog", "Post").objects.using(schema_editor.connection.alias)
    for number in range(1, POSTS + 1):
        posts.create(title=f"Post {number}", text="word " * 120 * number)


class Migration(migrations.Migration):
    dependencies = [("blog", "0003_summary")]

    operations = [migrations.RunPython(write_posts, migrations.RunPython.noop)]
