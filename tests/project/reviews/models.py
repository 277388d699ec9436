"""A model that moved here from shop and left its table where it was."""

from django.db import models
from shop.models import Product


class Review(models.Model):
    product = models.ForeignKey(Product, models.CASCADE)
    stars = models.SmallIntegerField()
    text = models.TextField(blank=True)

    class Meta:
        db_table = "shop_review"
