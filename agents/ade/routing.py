"""WebSocket addresses of the pages."""

from django.urls import path

from agents.ade.consumers import WorkspaceConsumer

websocket_urlpatterns = [path("ws/agents/<str:agent_id>", WorkspaceConsumer.as_asgi())]
