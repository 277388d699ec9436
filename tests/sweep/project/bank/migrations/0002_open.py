from django.db import migrations


def open_account(apps, schema_editor):
    """Not idempotent: run twice, there are two deposits and 200 on the account."""
    alias = schema_editor.connection.alias
    customer, _ = apps.get_model("bank", "Customer").objects.using(alias).get_or_create(name="Ada")
    account, _ = (
        apps.get_model("bank", "Account").objects.using(alias).get_or_create(customer=customer)
    )
    apps.get_model("bank", "Deposit").objects.using(alias).create(account=account, amount=100)
    account.balance += 100
    account.save(using=alias)


class Migration(migrations.Migration):
    dependencies = [("bank", "0001_initial")]
    operations = [migrations.RunPython(open_account, migrations.RunPython.noop)]
