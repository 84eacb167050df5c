"""Addresses of the pages of single blocks."""

from django.urls import path

from memory.ade import views

app_name = "memory_ade"
urlpatterns = [
    path("blocks/<str:block_id>", views.block, name="block"),
    path("blocks/<str:block_id>/save", views.save, name="save"),
    path("blocks/<str:block_id>/history", views.history, name="history"),
    path("blocks/<str:block_id>/restore", views.restore, name="restore"),
]
