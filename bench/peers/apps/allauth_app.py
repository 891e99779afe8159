"""django-allauth, headless, for apps: Django's own settings for production, sessions in the database.

`python allauth_app.py prepare COUNT` makes the schema and the members, `hash COUNT` measures a hash of the defaults;
gunicorn serves `application`.
"""

import os
import sys
import time
from urllib.parse import urlsplit

import django
from django.conf import settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.core.wsgi import get_wsgi_application
from django.urls import include, path

DATABASE = urlsplit(os.environ["DATABASE_URL"])
SMTP_PORT = int(os.environ.get("SMTP_PORT", "0"))


class CheapHasher(PBKDF2PasswordHasher):
    """The algorithm of the defaults at its least cost."""

    iterations = 1


settings.configure(
    DEBUG=False,
    SECRET_KEY=os.environ["SECRET"],
    ALLOWED_HOSTS=["localhost"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        "allauth",
        "allauth.account",
        "allauth.headless",
    ],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
        "allauth.account.middleware.AccountMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
        }
    ],
    AUTHENTICATION_BACKENDS=[
        "django.contrib.auth.backends.ModelBackend",
        "allauth.account.auth_backends.AuthenticationBackend",
    ],
    PASSWORD_HASHERS=[f"{__name__}.CheapHasher"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": DATABASE.path[1:],
            "USER": DATABASE.username,
            "PASSWORD": DATABASE.password,
            "HOST": DATABASE.hostname,
            "PORT": DATABASE.port,
            "CONN_MAX_AGE": None,
        }
    },
    CACHES={"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": os.environ["REDIS_URL"]}},
    # Without a relay a letter is written all the same, and dropped.
    EMAIL_BACKEND=f"django.core.mail.backends.{'smtp' if SMTP_PORT else 'dummy'}.EmailBackend",
    EMAIL_HOST="127.0.0.1",
    EMAIL_PORT=SMTP_PORT,
    DEFAULT_FROM_EMAIL="no-reply@peers.example",
    ALLAUTH_TRUSTED_PROXY_COUNT=1,
    ACCOUNT_LOGIN_METHODS={"email"},
    ACCOUNT_SIGNUP_FIELDS=["email*", "password1*"],
    ACCOUNT_EMAIL_VERIFICATION="optional",
    HEADLESS_ONLY=True,
    HEADLESS_CLIENTS=["app"],
    HEADLESS_FRONTEND_URLS={
        "account_confirm_email": "http://localhost/verify/{key}",
        "account_reset_password": "http://localhost/reset",
        "account_reset_password_from_key": "http://localhost/reset/{key}",
        "account_signup": "http://localhost/signup",
    },
)

if __name__ == "__main__":
    # gunicorn imports this file under its own name; what the settings name is found under that.
    sys.modules["allauth_app"] = sys.modules[__name__]
    django.setup()
else:
    application = get_wsgi_application()

urlpatterns = [path("_allauth/", include("allauth.headless.urls")), path("accounts/", include("allauth.urls"))]


def prepare(count: int) -> None:
    """Make the schema and so many members."""
    from allauth.account.models import EmailAddress
    from django.contrib.auth.hashers import make_password
    from django.contrib.auth.models import User
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    password = make_password(os.environ["PASSWORD"])
    emails = [f"member-{number}@example.com" for number in range(count)]
    users = User.objects.bulk_create(User(username=email, email=email, password=password) for email in emails)
    EmailAddress.objects.bulk_create(
        EmailAddress(user=user, email=user.email, verified=True, primary=True) for user in users
    )


def hash_seconds(count: int) -> float:
    """Measure the processor time of one verification."""
    hasher, password = PBKDF2PasswordHasher(), os.environ["PASSWORD"]
    stored = hasher.encode(password, hasher.salt())
    began = time.process_time()
    for _ in range(count):
        hasher.verify(password, stored)
    return (time.process_time() - began) / count


if __name__ == "__main__":
    order, number = sys.argv[1], int(sys.argv[2])
    if order == "prepare":
        prepare(number)
    else:
        print(hash_seconds(number))
