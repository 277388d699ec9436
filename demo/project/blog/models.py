"""The blog, on blog_db."""

from django.db import models


class Tag(models.Model):
    name = models.CharField(max_length=50, unique=True)


class Post(models.Model):
    title = models.CharField(max_length=200)
    text = models.TextField()
    summary = models.CharField(max_length=300, default="")
    tags = models.ManyToManyField(Tag)
