from django.db import migrations, models


class AddIndexOnline(migrations.AddIndex):
    """AddIndexConcurrently where the server can do it, AddIndex elsewhere."""

    atomic = False

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            schema_editor.add_index(model, self.index, concurrently=True)

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor != "postgresql":
            super().database_backwards(app_label, schema_editor, from_state, to_state)
            return
        model = from_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            schema_editor.remove_index(model, self.index, concurrently=True)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("shop", "0007_weight")]

    operations = [
        AddIndexOnline("Product", models.Index(fields=["sku"], name="product_sku_idx")),
        AddIndexOnline(
            "Product", models.Index(fields=["name", "price"], name="product_name_price_idx")
        ),
    ]
