"""Renames of every kind, many-to-many with and without a through model, names too long."""

from django.db import models
from django.db.models import Q


class Author(models.Model):
    full_name = models.CharField(max_length=100)
    born = models.DateField(null=True)
    mentor = models.ForeignKey("self", models.SET_NULL, null=True)

    class Meta:
        db_table = "library_writers"


class Tag(models.Model):
    label = models.CharField(max_length=50, unique=True)


class Book(models.Model):
    title = models.CharField(max_length=200)
    subtitle = models.CharField(max_length=200, default="")
    isbn = models.CharField(max_length=17, db_column="isbn13", unique=True)
    pages = models.PositiveIntegerField(null=True)
    author = models.ForeignKey(Author, models.CASCADE)
    tags = models.ManyToManyField(Tag)
    editors = models.ManyToManyField(Author, through="Credit", related_name="edited")

    class Meta:
        indexes = [
            models.Index(fields=["title"], name="book_title_idx"),
            models.Index(fields=["-pages"], name="book_long_idx", condition=Q(pages__gt=500)),
        ]
        constraints = [
            models.UniqueConstraint(fields=["author", "title"], name="book_once_per_author"),
            models.CheckConstraint(condition=~Q(title=""), name="book_has_title"),
        ]


class Credit(models.Model):
    book = models.ForeignKey(Book, models.CASCADE)
    author = models.ForeignKey(Author, models.CASCADE)
    role = models.CharField(max_length=20)

    class Meta:
        unique_together = [("book", "author")]


class RecordOfALoanWhoseNameIsAlmostTooLongForPostgreSQL(models.Model):
    book = models.ForeignKey(Book, models.CASCADE)
    readers_of_the_loan_with_a_long_name_of_their_own = models.ManyToManyField(Author)
