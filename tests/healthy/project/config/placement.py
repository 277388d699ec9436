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

FAMILIES = {
    "cms": frozenset({"cms", "menus", "sekizai"}),
    "djstripe": frozenset({"djstripe"}),
    "hordak": frozenset({"hordak"}),
    "oscar": frozenset({"oscar"}),
    "wagtail": frozenset({"wagtail", "modelcluster"}),
}
"""Distributions of many models and migrations, by the first part of their names. Django renders all
models that refer to one another for almost each of their operations, which grows with the square
of their number: each family is migrated in a walk of its own."""

APPS = {"default": COMMERCE, "content": CONTENT, "accounts": ACCOUNTS, "jobs": JOBS}

NEEDED = frozenset(
    {
        "django.contrib.admin",
        "django.contrib.sessions",
        "django.contrib.flatpages",
        "easy_thumbnails",
        "modelcluster",
        "modelsearch",
        "mptt",
        "taggit",
        "treebeard",
    }
)
"""What the families cannot do without."""


def chosen(group: str) -> dict[str, list[str]]:
    """Alias → entries of INSTALLED_APPS.

    A family lives on one database, where content types are: wagtail's first data migration asks
    the router where to write a content type, and takes its id to a page on whatever database is
    migrated.

    Args:
        group: "many" small distributions, or one of FAMILIES.
    """
    if group == "many":
        families = frozenset[str]().union(*FAMILIES.values())
        return {
            alias: [entry for entry in entries if entry.split(".")[0] not in families]
            for alias, entries in APPS.items()
        }
    entries = [entry for entries in APPS.values() for entry in entries]
    return {
        "default": [
            entry for entry in entries if entry.split(".")[0] in FAMILIES[group] or entry in NEEDED
        ]
    }
