"""One of every kind of object that Django makes on every vendor."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower, Now


class Room(models.Model):
    number = models.SmallIntegerField(primary_key=True)
    name = models.CharField(max_length=40, unique=True)
    above = models.ForeignKey("self", models.SET_NULL, null=True, related_name="below")


class Label(models.Model):
    text = models.CharField(max_length=60, db_collation=settings.MUTATIONS_COLLATION)
    position = models.IntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["position"],
                name="label_position_later",
                deferrable=models.Deferrable.DEFERRED,
            )
        ]


class Exhibit(models.Model):
    code = models.CharField(max_length=20, unique=True)
    title = models.CharField(max_length=100, db_index=True)
    slug = models.SlugField(max_length=30)
    room = models.ForeignKey(Room, models.PROTECT)
    lender = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, db_constraint=False
    )
    labels = models.ManyToManyField(Label)
    width = models.PositiveIntegerField(default=1)
    height = models.PositiveSmallIntegerField(null=True)
    area = models.GeneratedField(
        expression=F("width") * 2, output_field=models.IntegerField(), db_persist=True
    )
    value = models.DecimalField(max_digits=9, decimal_places=2)
    weight = models.FloatField(null=True)
    made = models.DateField(null=True)
    seen = models.DateTimeField(db_default=Now())
    opens = models.TimeField(null=True)
    tour = models.DurationField(null=True)
    facts = models.JSONField(default=dict)
    token = models.UUIDField(null=True)
    photo = models.BinaryField(null=True)
    note = models.TextField(default="")
    status = models.CharField(max_length=10, db_default="new")
    shown = models.BooleanField(db_default=True)
    rating = models.BigIntegerField(db_default=0)
    address = models.GenericIPAddressField(null=True)

    class Meta:
        unique_together = [("room", "title")]
        indexes = [
            models.Index(fields=["made", "-value"], name="exhibit_made_value"),
            models.Index(fields=["value"], name="exhibit_dear", condition=Q(value__gt=1000)),
            models.Index(Lower("title"), "code", name="exhibit_lower_title"),
            models.Index(fields=["weight"], name="exhibit_covering", include=["width"]),
        ]
        constraints = [
            models.UniqueConstraint(fields=["slug", "room"], name="exhibit_once_per_room"),
            models.UniqueConstraint(
                fields=["token"], name="exhibit_token_shown", condition=Q(shown=True)
            ),
            models.UniqueConstraint(Lower("slug"), name="exhibit_lower_slug"),
            models.CheckConstraint(
                condition=Q(value__gte=0) & Q(width__lt=100000), name="exhibit_sane"
            ),
            models.CheckConstraint(
                condition=Q(status__in=["new", "old", "lent"]), name="exhibit_status"
            ),
        ]


class Painting(Exhibit):
    painter = models.CharField(max_length=80)
    restored = models.DateTimeField(null=True)


class Card(models.Model):
    exhibit = models.OneToOneField(Exhibit, models.CASCADE)
    printed = models.BooleanField(default=False)
    copies = models.PositiveBigIntegerField(default=0)


class Visit(models.Model):
    """Ordered with respect to its exhibit; a table with a name of its own."""

    exhibit = models.ForeignKey(Exhibit, models.CASCADE, db_index=False)
    visitors = models.ManyToManyField(settings.AUTH_USER_MODEL, through="Ticket")

    class Meta:
        db_table = "Museum visits"
        order_with_respect_to = "exhibit"


class Ticket(models.Model):
    visit = models.ForeignKey(Visit, models.CASCADE)
    visitor = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    price = models.DecimalField(max_digits=6, decimal_places=2, db_column="Price paid")
