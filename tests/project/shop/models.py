"""Data migrations, a squash, inheritance, generated columns and database defaults."""

from django.conf import settings
from django.db import models
from django.db.models import F
from django.db.models.functions import Now


class Product(models.Model):
    name = models.CharField(max_length=100)
    sku = models.CharField(max_length=20)
    price = models.DecimalField(max_digits=9, decimal_places=2)
    stock = models.IntegerField(default=0)
    weight = models.IntegerField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["sku"], name="product_sku_idx"),
            models.Index(fields=["name", "price"], name="product_name_price_idx"),
        ]


class DigitalProduct(Product):
    url = models.URLField()


class Bargain(Product):
    class Meta:
        proxy = True


class Customer(models.Model):
    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE)


class Coupon(models.Model):
    code = models.CharField(max_length=20, unique=True)
    valid_until = models.DateField(null=True)


class Order(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE)
    product = models.ForeignKey(Product, models.PROTECT)
    quantity = models.IntegerField(default=1)
    unit_price = models.DecimalField(max_digits=9, decimal_places=2)
    total = models.GeneratedField(
        expression=F("quantity") * F("unit_price"),
        output_field=models.DecimalField(max_digits=12, decimal_places=2),
        db_persist=True,
    )
    status = models.CharField(max_length=10, db_default="new")
    created = models.DateTimeField(db_default=Now())


class Warehouse(models.Model):
    class Meta:
        managed = False
        db_table = "erp_warehouse"
