"""Page views, on analytics: an SQLite file."""

from django.db import models


class PageView(models.Model):
    path = models.CharField(max_length=200)
    seen = models.DateTimeField(auto_now_add=True)
    referrer = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        indexes = [models.Index(fields=["path", "seen"], name="pageview_path_seen")]
