import django.db.models.constraints
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Exhibit",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("code", models.CharField(max_length=20, unique=True)),
                ("title", models.CharField(db_index=True, max_length=100)),
                ("slug", models.SlugField(max_length=30)),
                ("width", models.PositiveIntegerField(default=1)),
                ("height", models.PositiveSmallIntegerField(null=True)),
                (
                    "area",
                    models.GeneratedField(
                        db_persist=True,
                        expression=django.db.models.expressions.CombinedExpression(
                            models.F("width"), "*", models.Value(2)
                        ),
                        output_field=models.IntegerField(),
                    ),
                ),
                ("value", models.DecimalField(decimal_places=2, max_digits=9)),
                ("weight", models.FloatField(null=True)),
                ("made", models.DateField(null=True)),
                (
                    "seen",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("opens", models.TimeField(null=True)),
                ("tour", models.DurationField(null=True)),
                ("facts", models.JSONField(default=dict)),
                ("token", models.UUIDField(null=True)),
                ("photo", models.BinaryField(null=True)),
                ("note", models.TextField(default="")),
                ("status", models.CharField(db_default="new", max_length=10)),
                ("shown", models.BooleanField(db_default=True)),
                ("address", models.GenericIPAddressField(null=True)),
                (
                    "lender",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Painting",
            fields=[
                (
                    "exhibit_ptr",
                    models.OneToOneField(
                        auto_created=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        parent_link=True,
                        primary_key=True,
                        serialize=False,
                        to="museum.exhibit",
                    ),
                ),
                ("painter", models.CharField(max_length=40)),
            ],
            bases=("museum.exhibit",),
        ),
        migrations.CreateModel(
            name="Card",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("printed", models.BooleanField(default=False)),
                ("copies", models.PositiveBigIntegerField(default=0)),
                (
                    "exhibit",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, to="museum.exhibit"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Label",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "text",
                    models.CharField(db_collation=settings.MUTATIONS_COLLATION, max_length=60),
                ),
                ("position", models.IntegerField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        deferrable=django.db.models.constraints.Deferrable["DEFERRED"],
                        fields=("position",),
                        name="label_position_later",
                    )
                ],
            },
        ),
        migrations.AddField(
            model_name="exhibit",
            name="labels",
            field=models.ManyToManyField(to="museum.label"),
        ),
        migrations.CreateModel(
            name="Room",
            fields=[
                ("number", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=40, unique=True)),
                (
                    "above",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="below",
                        to="museum.room",
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="exhibit",
            name="room",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="museum.room"),
        ),
        migrations.CreateModel(
            name="Ticket",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "price",
                    models.DecimalField(db_column="Price paid", decimal_places=2, max_digits=6),
                ),
                (
                    "visitor",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Visit",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "exhibit",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="museum.exhibit",
                    ),
                ),
                (
                    "visitors",
                    models.ManyToManyField(through="museum.Ticket", to=settings.AUTH_USER_MODEL),
                ),
            ],
            options={
                "db_table": "Museum visits",
            },
        ),
        migrations.AddField(
            model_name="ticket",
            name="visit",
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="museum.visit"),
        ),
    ]
