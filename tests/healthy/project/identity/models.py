"""The swapped application model of django-oauth-toolkit, and a model under guardian's eyes."""

from django.db import models
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase
from oauth2_provider.models import AbstractApplication


class Application(AbstractApplication):
    """OAuth's application, with a field of the project's own."""

    homepage = models.URLField(blank=True)


class Document(models.Model):
    """Something to have permissions on."""

    title = models.CharField(max_length=100)


class DocumentUserPermission(UserObjectPermissionBase):
    """Direct foreign keys instead of guardian's generic ones."""

    content_object = models.ForeignKey(Document, on_delete=models.CASCADE)


class DocumentGroupPermission(GroupObjectPermissionBase):
    """Direct foreign keys instead of guardian's generic ones."""

    content_object = models.ForeignKey(Document, on_delete=models.CASCADE)
