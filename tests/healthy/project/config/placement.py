"""Which app lives where, and which apps a vendor cannot have."""

SHARED = frozenset({"contenttypes", "auth", "sites"})

ACCOUNTS = [
    "django.contrib.admin",
    "django.contrib.sessions",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.usersessions",
    "identity",
    "oauth2_provider",
    "guardian",
    "django_otp",
    "django_otp.plugins.otp_email",
    "django_otp.plugins.otp_hotp",
    "django_otp.plugins.otp_static",
    "django_otp.plugins.otp_totp",
    "two_factor",
    "two_factor.plugins.email",
    "two_factor.plugins.phonenumber",
    "social_django",
    "axes",
    "defender",
    "rest_framework",
    "rest_framework.authtoken",
    "rest_framework_api_key",
    "rest_framework_simplejwt.token_blacklist",
    "knox",
    "invitations",
    "organizations",
    "webpush",
    "push_notifications",
    "waffle",
    "constance",
    "cookie_consent",
]

CONTENT = [
    "django.contrib.flatpages",
    "django.contrib.redirects",
    "django_comments",
    "avatar",
    "robots",
    "flags",
    "cms",
    "menus",
    "sekizai",
    "mptt",
    "easy_thumbnails",
    "filer",
    "taggit",
    "modelcluster",
    "wagtail.contrib.forms",
    "wagtail.contrib.frontend_cache",
    "wagtail.contrib.redirects",
    "wagtail.contrib.routable_page",
    "wagtail.contrib.search_promotions",
    "wagtail.contrib.settings",
    "wagtail.contrib.simple_translation",
    "wagtail.admin",
    "wagtail.documents",
    "wagtail.embeds",
    "wagtail.images",
    "wagtail.locales",
    "wagtail.search",
    "modelsearch",
    "wagtail.sites",
    "wagtail.snippets",
    "wagtail.users",
    "wagtail",
    "django_summernote",
    "admin_interface",
    "colorfield",
]

COMMERCE = [
    "oscar.config.Shop",
    "oscar.apps.analytics.apps.AnalyticsConfig",
    "oscar.apps.checkout.apps.CheckoutConfig",
    "oscar.apps.address.apps.AddressConfig",
    "oscar.apps.shipping.apps.ShippingConfig",
    "oscar.apps.catalogue.apps.CatalogueConfig",
    "oscar.apps.catalogue.reviews.apps.CatalogueReviewsConfig",
    "oscar.apps.communication.apps.CommunicationConfig",
    "oscar.apps.partner.apps.PartnerConfig",
    "oscar.apps.basket.apps.BasketConfig",
    "oscar.apps.payment.apps.PaymentConfig",
    "oscar.apps.offer.apps.OfferConfig",
    "oscar.apps.order.apps.OrderConfig",
    "oscar.apps.customer.apps.CustomerConfig",
    "oscar.apps.search.apps.SearchConfig",
    "oscar.apps.voucher.apps.VoucherConfig",
    "oscar.apps.wishlists.apps.WishlistsConfig",
    "oscar.apps.dashboard.apps.DashboardConfig",
    "oscar.apps.dashboard.reports.apps.ReportsDashboardConfig",
    "oscar.apps.dashboard.users.apps.UsersDashboardConfig",
    "oscar.apps.dashboard.orders.apps.OrdersDashboardConfig",
    "oscar.apps.dashboard.catalogue.apps.CatalogueDashboardConfig",
    "oscar.apps.dashboard.offers.apps.OffersDashboardConfig",
    "oscar.apps.dashboard.partners.apps.PartnersDashboardConfig",
    "oscar.apps.dashboard.pages.apps.PagesDashboardConfig",
    "oscar.apps.dashboard.ranges.apps.RangesDashboardConfig",
    "oscar.apps.dashboard.reviews.apps.ReviewsDashboardConfig",
    "oscar.apps.dashboard.vouchers.apps.VouchersDashboardConfig",
    "oscar.apps.dashboard.communications.apps.CommunicationsDashboardConfig",
    "oscar.apps.dashboard.shipping.apps.ShippingDashboardConfig",
    "djstripe",
    "djmoney",
    "djmoney.contrib.exchange",
    "hordak",
    "cities_light",
    "polymorphic",
    "treebeard",
    "simple_history",
    "showcase",
]

JOBS = [
    "django_celery_beat",
    "django_celery_results",
    "django_q",
    "django_apscheduler",
    "django_dramatiq",
    "mailer",
    "post_office",
    "silk",
    "auditlog",
    "reversion",
    "explorer",
    "watson",
    "actstream",
    "schedule",
    "viewflow",
    "viewflow.workflow",
    "pgtrigger",
    "pghistory",
    "ledger",
    "procrastinate.contrib.django",
]

POSTGRES_ONLY = frozenset({"pgtrigger", "pghistory", "ledger", "procrastinate.contrib.django"})
"""They make functions, triggers and enums that only PostgreSQL has."""

WITHOUT_SQLITE = frozenset({"hordak"})
"""Balances are computed by functions that SQLite cannot store."""

LARGE = frozenset({"cms", "menus", "sekizai", "djstripe", "hordak", "modelcluster"})
"""Distributions of many models and migrations: Django renders all models that refer to one
another for almost each of their operations, so they are migrated in a walk of their own."""

APPS = {"default": COMMERCE, "content": CONTENT, "accounts": ACCOUNTS, "jobs": JOBS}


def chosen(group: str) -> dict[str, list[str]]:
    """Alias → entries of INSTALLED_APPS.

    Args:
        group: "many" small distributions, "large" ones, or "all".
    """

    def large(entry: str) -> bool:
        return entry.split(".")[0] in {"oscar", "wagtail"} or entry in LARGE

    base = NEEDED if group == "large" else frozenset()
    return {
        alias: [
            entry
            for entry in entries
            if group == "all" or large(entry) == (group == "large") or entry in base
        ]
        for alias, entries in APPS.items()
    }


NEEDED = frozenset(
    {
        "django.contrib.admin",
        "django.contrib.sessions",
        "django.contrib.flatpages",
        "easy_thumbnails",
        "modelcluster",
        "modelsearch",
        "taggit",
        "treebeard",
    }
)
"""What the large ones cannot do without."""
