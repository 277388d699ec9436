from django.db import models


class Customer(models.Model):
    full_name = models.CharField(max_length=40)


class Tag(models.Model):
    label = models.CharField(max_length=20, unique=True)


class Account(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE)
    balance = models.IntegerField(default=0)
    level = models.IntegerField(default=1)
    remark = models.CharField(max_length=20, null=True)
    main_tag = models.ForeignKey(Tag, models.SET_NULL, null=True, related_name="+")
    tags = models.ManyToManyField(Tag)

    class Meta:
        indexes = [
            models.Index(fields=["balance"], name="account_balance"),
            models.Index(fields=["level", "balance"], name="account_level"),
        ]
        constraints = [
            models.CheckConstraint(condition=models.Q(level__gte=0), name="account_level_min")
        ]


class Deposit(models.Model):
    account = models.ForeignKey(Account, models.CASCADE)
    amount = models.IntegerField()


class Card(models.Model):
    number = models.CharField(max_length=16)
    account = models.ForeignKey(Account, models.CASCADE)
    expires = models.DateField(null=True)
