import django.contrib.postgres.constraints
import django.contrib.postgres.fields
import django.contrib.postgres.fields.ranges
import django.contrib.postgres.indexes
import django.contrib.postgres.search
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Booking",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("during", django.contrib.postgres.fields.ranges.DateTimeRangeField()),
                (
                    "tags",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=10), default=list, size=None
                    ),
                ),
                ("words", django.contrib.postgres.search.SearchVectorField(null=True)),
                ("made", models.DateTimeField(null=True)),
                ("name", models.CharField(max_length=30)),
            ],
            options={
                "indexes": [
                    django.contrib.postgres.indexes.GinIndex(fields=["tags"], name="booking_tags"),
                    django.contrib.postgres.indexes.GinIndex(
                        fields=["words"], name="booking_words"
                    ),
                    django.contrib.postgres.indexes.BrinIndex(fields=["made"], name="booking_made"),
                    django.contrib.postgres.indexes.HashIndex(fields=["name"], name="booking_name"),
                    models.Index(
                        fields=["name"], name="booking_name_like", opclasses=["varchar_pattern_ops"]
                    ),
                ],
                "constraints": [
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        expressions=[("during", "&&")], name="booking_no_overlap"
                    ),
                    models.UniqueConstraint(
                        fields=("made",), include=("name",), name="booking_covering"
                    ),
                    models.UniqueConstraint(
                        fields=("words", "name"), name="booking_nulls", nulls_distinct=False
                    ),
                ],
            },
        ),
    ]
