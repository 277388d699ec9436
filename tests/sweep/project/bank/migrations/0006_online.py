from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import connections, migrations, models

BALANCE = models.Index(fields=["balance"], name="account_balance")
LEVEL = models.Index(fields=["level", "balance"], name="account_level")
# The class is chosen by the server: what a project of one vendor would simply write down.
ADD_INDEX = (
    AddIndexConcurrently if connections["default"].vendor == "postgresql" else migrations.AddIndex
)


class Migration(migrations.Migration):
    """Several operations, no transaction around them."""

    atomic = False
    dependencies = [("bank", "0005_card_expires")]
    operations = [
        ADD_INDEX("Account", BALANCE),
        migrations.RunSQL(
            "ALTER TABLE bank_account ADD COLUMN remark varchar(20) NULL",
            "ALTER TABLE bank_account DROP COLUMN remark",
            state_operations=[
                migrations.AddField("Account", "remark", models.CharField(max_length=20, null=True))
            ],
        ),
        ADD_INDEX("Account", LEVEL),
    ]
