"""Nothing is served: migrations are all that this project is for."""

urlpatterns: list[object] = []
