"""The shop, on shop_db; a MoneyField is two columns, amount and currency."""

from django.db import models
from djmoney.models.fields import MoneyField


class Product(models.Model):
    name = models.CharField(max_length=100)
    price = MoneyField(max_digits=10, decimal_places=2, default_currency="EUR")
    stock = models.IntegerField(default=0)


class Review(models.Model):
    product = models.ForeignKey(Product, models.CASCADE)
    stars = models.SmallIntegerField()
