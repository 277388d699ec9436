"""Models built with packages that have fields and base classes, and no tables of their own."""

from autoslug import AutoSlugField
from cities_light.models import City
from colorfield.fields import ColorField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from djmoney.models.fields import MoneyField
from jsonfield import JSONField
from model_utils.fields import MonitorField
from model_utils.models import SoftDeletableModel, TimeStampedModel
from mptt.models import MPTTModel, TreeForeignKey
from phonenumber_field.modelfields import PhoneNumberField
from picklefield.fields import PickledObjectField
from polymorphic.models import PolymorphicModel
from simple_history.models import HistoricalRecords
from timezone_field import TimeZoneField
from treebeard.al_tree import AL_Node
from treebeard.mp_tree import MP_Node
from treebeard.ns_tree import NS_Node


class Product(TimeStampedModel, SoftDeletableModel):
    """Money, history, a generated column, conditional constraints, expression indexes."""

    STATUS = (("draft", "draft"), ("live", "live"))

    name = models.CharField(max_length=120, db_index=True)
    slug = AutoSlugField(populate_from="name", unique=True)
    price = MoneyField(max_digits=14, decimal_places=2, default_currency="EUR")
    discount = models.PositiveSmallIntegerField(default=0, db_default=0)
    net = models.GeneratedField(
        expression=F("discount") * 2, output_field=models.IntegerField(), db_persist=True
    )
    status = models.CharField(max_length=10, choices=STATUS, default="draft")
    went_live = MonitorField(monitor="status", when=["live"], null=True)
    colour = ColorField(default="#FF0000")
    zone = TimeZoneField(default="Europe/London")
    phone = PhoneNumberField(blank=True)
    extra = models.JSONField(default=dict)
    old_extra = JSONField(default=dict)
    pickled = PickledObjectField(null=True)
    city = models.ForeignKey(City, null=True, on_delete=models.SET_NULL, db_constraint=False)
    history = HistoricalRecords(excluded_fields=["net"])

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(discount__lte=100), name="discount_at_most_100"),
            models.UniqueConstraint(Lower("name"), name="product_name_lower_uniq"),
            models.UniqueConstraint(
                fields=["phone"], condition=~Q(phone=""), name="product_phone_uniq"
            ),
        ]
        indexes = [
            models.Index(fields=["-created", "name"], name="product_newest"),
            models.Index(Lower("status").desc(), name="product_status_lower"),
            models.Index(fields=["went_live"], condition=Q(status="live"), name="product_live"),
        ]


class Category(MP_Node):
    """Materialised path."""

    name = models.CharField(max_length=50)
    products = models.ManyToManyField(Product, related_name="categories")


class Menu(NS_Node):
    """Nested set."""

    name = models.CharField(max_length=50)


class Reply(AL_Node):
    """Adjacency list."""

    parent = models.ForeignKey(
        "self", related_name="replies", null=True, db_index=True, on_delete=models.CASCADE
    )
    position = models.PositiveIntegerField()
    node_order_by = ["position"]


class Genre(MPTTModel):
    """Modified preorder tree."""

    name = models.CharField(max_length=50, unique=True)
    parent = TreeForeignKey("self", null=True, related_name="children", on_delete=models.CASCADE)

    class MPTTMeta:
        order_insertion_by = ["name"]


class Project(PolymorphicModel):
    """A parent whose children have tables of their own."""

    topic = models.CharField(max_length=30)
    members = models.ManyToManyField("auth.User", through="Membership")


class ArtProject(Project):
    """A child."""

    artist = models.CharField(max_length=30)


class ResearchProject(ArtProject):
    """A child's child."""

    supervisor = models.CharField(max_length=30)

    class Meta:
        order_with_respect_to = "artist_of"

    artist_of = models.ForeignKey(Genre, null=True, on_delete=models.SET_NULL)


class Membership(models.Model):
    """A composite primary key."""

    pk = models.CompositePrimaryKey("project_id", "user_id")
    project = models.ForeignKey(Project, on_delete=models.CASCADE)
    user = models.ForeignKey("auth.User", on_delete=models.CASCADE)
    since = models.DateField()
