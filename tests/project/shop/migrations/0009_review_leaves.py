from django.db import migrations


class Migration(migrations.Migration):
    """The other half of reviews.0001_initial; the table stays."""

    dependencies = [("shop", "0008_search"), ("reviews", "0001_initial")]

    operations = [
        migrations.SeparateDatabaseAndState(state_operations=[migrations.DeleteModel("Review")]),
    ]
