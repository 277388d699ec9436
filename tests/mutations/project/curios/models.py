"""What only PostgreSQL has."""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, DateTimeRangeField, RangeOperators
from django.contrib.postgres.indexes import BrinIndex, GinIndex, HashIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models


class Booking(models.Model):
    during = DateTimeRangeField()
    tags = ArrayField(models.CharField(max_length=10), default=list)
    words = SearchVectorField(null=True)
    made = models.DateTimeField(null=True)
    name = models.CharField(max_length=30)

    class Meta:
        indexes = [
            GinIndex(fields=["tags"], name="booking_tags"),
            GinIndex(fields=["words"], name="booking_words"),
            BrinIndex(fields=["made"], name="booking_made"),
            HashIndex(fields=["name"], name="booking_name"),
            models.Index(
                fields=["name"], name="booking_name_like", opclasses=["varchar_pattern_ops"]
            ),
        ]
        constraints = [
            ExclusionConstraint(
                name="booking_no_overlap", expressions=[("during", RangeOperators.OVERLAPS)]
            ),
            models.UniqueConstraint(fields=["made"], name="booking_covering", include=["name"]),
            models.UniqueConstraint(
                fields=["words", "name"], name="booking_nulls", nulls_distinct=False
            ),
        ]
