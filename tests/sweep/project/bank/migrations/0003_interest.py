from django.db import migrations, models


def pay(apps, schema_editor):
    """Run twice, the balance is 400."""
    accounts = apps.get_model("bank", "Account").objects.using(schema_editor.connection.alias)
    accounts.update(balance=models.F("balance") * 2)


class Migration(migrations.Migration):
    """Schema, data and a rename in one."""

    dependencies = [("bank", "0002_open")]
    operations = [
        migrations.AddField("Account", "level", models.IntegerField(default=1)),
        migrations.RenameField("Customer", "name", "full_name"),
        migrations.RunPython(pay, migrations.RunPython.noop),
    ]
