"""The map of the site."""

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from letta_site import checks  # noqa: F401  (registers them)
from letta_site.api import api
from letta_site.api import urlpatterns as api_patterns
from letta_site.routes.health import healthz
from letta_site.routes.sign_in import sign_in, sign_out

admin.site.site_header = admin.site.site_title = "Letta"
admin.site.index_title = "Administration"

urlpatterns: list[URLPattern | URLResolver] = [
    path("v1/", include(api_patterns)),
    path("latest/", include(api_patterns)),
    path("admin/", admin.site.urls),
    path("login", sign_in, name="login"),
    path("logout", sign_out, name="logout"),
    path("healthz", healthz),
    path("", include("agents.ade.urls")),
    path("", include("memory.ade.urls")),
]
if settings.DEBUG:
    urlpatterns.append(path("v1/", api.urls))

handler400 = "letta_site.errors.page_400"
handler403 = "letta_site.errors.page_403"
handler404 = "letta_site.errors.page_404"
handler500 = "letta_site.errors.page_500"
