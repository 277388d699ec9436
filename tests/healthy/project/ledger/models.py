"""Models whose tables have triggers, of django-pgtrigger and django-pghistory."""

import pghistory
import pgtrigger
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import (
    ArrayField,
    DateTimeRangeField,
    RangeOperators,
)
from django.contrib.postgres.indexes import BrinIndex, GinIndex, GistIndex, OpClass
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models.functions import Upper


@pghistory.track()
class Booking(models.Model):
    """Events go to a table of their own; a range may not overlap; deletes are refused."""

    room = models.CharField(max_length=20, db_collation="C")
    during = DateTimeRangeField()
    tags = ArrayField(models.CharField(max_length=20), default=list)
    search = SearchVectorField(null=True)

    class Meta:
        constraints = [
            ExclusionConstraint(
                name="booking_no_overlap",
                expressions=[("during", RangeOperators.OVERLAPS)],
            ),
            models.UniqueConstraint(
                fields=["room", "during"],
                name="booking_uniq",
                deferrable=models.Deferrable.DEFERRED,
            ),
        ]
        indexes = [
            GinIndex(fields=["search"], name="booking_search"),
            GistIndex(fields=["during"], name="booking_during"),
            BrinIndex(fields=["during"], name="booking_brin", pages_per_range=16),
            models.Index(OpClass(Upper("room"), name="varchar_pattern_ops"), name="booking_upper"),
            models.Index(fields=["room"], include=["during"], name="booking_cover"),
        ]
        triggers = [pgtrigger.Protect(name="keep", operation=pgtrigger.Delete)]


class Versioned(models.Model):
    """A column that a trigger counts up."""

    version = models.IntegerField(default=0)

    class Meta:
        triggers = [pgtrigger.ReadOnly(name="version_is_read_only", fields=["version"])]
