import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("museum", "0001_initial")]

    operations = [
        migrations.AddIndex(
            model_name="exhibit",
            index=models.Index(fields=["made", "-value"], name="exhibit_made_value"),
        ),
        migrations.AddIndex(
            model_name="exhibit",
            index=models.Index(
                condition=models.Q(("value__gt", 1000)), fields=["value"], name="exhibit_dear"
            ),
        ),
        migrations.AddIndex(
            model_name="exhibit",
            index=models.Index(
                django.db.models.functions.text.Lower("title"),
                models.F("code"),
                name="exhibit_lower_title",
            ),
        ),
        migrations.AddIndex(
            model_name="exhibit",
            index=models.Index(fields=["weight"], include=("width",), name="exhibit_covering"),
        ),
        migrations.AddConstraint(
            model_name="exhibit",
            constraint=models.UniqueConstraint(
                fields=("slug", "room"), name="exhibit_once_per_room"
            ),
        ),
        migrations.AddConstraint(
            model_name="exhibit",
            constraint=models.UniqueConstraint(
                condition=models.Q(("shown", True)), fields=("token",), name="exhibit_token_shown"
            ),
        ),
        migrations.AddConstraint(
            model_name="exhibit",
            constraint=models.UniqueConstraint(
                django.db.models.functions.text.Lower("slug"), name="exhibit_lower_slug"
            ),
        ),
        migrations.AddConstraint(
            model_name="exhibit",
            constraint=models.CheckConstraint(
                condition=models.Q(("value__gte", 0), ("width__lt", 100000)), name="exhibit_sane"
            ),
        ),
        migrations.AddConstraint(
            model_name="exhibit",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["new", "old", "lent"])), name="exhibit_status"
            ),
        ),
        migrations.AlterUniqueTogether(
            name="exhibit",
            unique_together={("room", "title")},
        ),
        migrations.AlterOrderWithRespectTo(
            name="visit",
            order_with_respect_to="exhibit",
        ),
    ]
