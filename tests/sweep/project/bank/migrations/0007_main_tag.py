import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("bank", "0006_online")]
    operations = [
        migrations.AddField(
            "Account",
            "main_tag",
            models.ForeignKey(
                "bank.Tag", django.db.models.deletion.SET_NULL, null=True, related_name="+"
            ),
        ),
        migrations.AddConstraint(
            "Account",
            models.CheckConstraint(condition=models.Q(level__gte=0), name="account_level_min"),
        ),
    ]
