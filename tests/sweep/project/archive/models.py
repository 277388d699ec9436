from django.db import models


class Folder(models.Model):
    name = models.CharField(max_length=20)


class Page(models.Model):
    folder = models.ForeignKey(Folder, models.CASCADE)
    text = models.CharField(max_length=20)
