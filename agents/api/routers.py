"""The one Router object of each URL prefix. Other files of this room add operations to them."""

from ninja import Router

agents_router = Router(tags=["agents"])
tools_router = Router(tags=["tools"])
models_router = Router(tags=["models"])
runs_router = Router(tags=["runs"])
conversations_router = Router(tags=["conversations"])
messages_router = Router(tags=["messages"])
steps_router = Router(tags=["steps"])
passages_router = Router(tags=["passages"])
mcp_servers_router = Router(tags=["mcp-servers"])
groups_router = Router(tags=["groups"])
