"""Addresses of the agents' pages."""

from django.urls import path

from agents.ade import (
    agent_views,
    care_views,
    config_views,
    rule_views,
    secret_views,
    state_views,
    talk_views,
    tool_views,
)

app_name = "ade"
_AGENT = "agents/<str:agent_id>"
_TOOL = "tools/<str:tool_id>"
urlpatterns = [
    path("", agent_views.agents, name="home"),
    path("agents", agent_views.agents, name="agents"),
    path("agents/new", agent_views.new_agent, name="agent_new"),
    path(_AGENT, agent_views.workspace, name="workspace"),
    path(f"{_AGENT}/delete", agent_views.delete, name="delete"),
    path(f"{_AGENT}/messages", talk_views.send, name="send"),
    path(f"{_AGENT}/messages/older", talk_views.older, name="older"),
    path(f"{_AGENT}/answer", talk_views.answer, name="answer"),
    path(f"{_AGENT}/stop", talk_views.stop, name="stop"),
    path(f"{_AGENT}/unstick", care_views.unstick, name="unstick"),
    path(f"{_AGENT}/compact", care_views.compact, name="compact"),
    path(f"{_AGENT}/compactions/<int:number>/undo", care_views.undo, name="compaction_undo"),
    path(f"{_AGENT}/settings", config_views.settings, name="settings"),
    path(f"{_AGENT}/system", config_views.prompt, name="prompt"),
    path(f"{_AGENT}/about", config_views.about, name="about"),
    path(f"{_AGENT}/tools", config_views.attach_tool, name="tool_attach"),
    path(f"{_AGENT}/tools/<str:tool_id>/detach", config_views.detach_tool, name="tool_detach"),
    path(f"{_AGENT}/rules", rule_views.rules, name="rules"),
    path(f"{_AGENT}/rules/new", rule_views.new_rule, name="rule_new"),
    path(f"{_AGENT}/rules/<slug:key>", rule_views.rule, name="rule"),
    path(f"{_AGENT}/rules/<slug:key>/delete", rule_views.delete_rule, name="rule_delete"),
    path(f"{_AGENT}/secrets", secret_views.secrets, name="secrets"),
    path(f"{_AGENT}/secrets/delete", secret_views.delete_secret, name="secret_delete"),
    path(f"{_AGENT}/blocks", state_views.create_block, name="block_create"),
    path(f"{_AGENT}/blocks/attach", state_views.attach_block, name="block_attach"),
    path(f"{_AGENT}/blocks/<str:block_id>/detach", state_views.detach_block, name="block_detach"),
    path(f"{_AGENT}/passages", state_views.passages, name="passages"),
    path(
        f"{_AGENT}/passages/<str:passage_id>/delete",
        state_views.delete_passage,
        name="passage_delete",
    ),
    path("tools", tool_views.library, name="tools"),
    path("tools/new", tool_views.new, name="tool_new"),
    path("tools/new/run", tool_views.run, name="tool_new_run"),
    path("tools/check", tool_views.check, name="tool_check"),
    path(_TOOL, tool_views.tool, name="tool"),
    path(f"{_TOOL}/run", tool_views.run, name="tool_run"),
    path(f"{_TOOL}/arguments", tool_views.arguments, name="tool_arguments"),
    path(f"{_TOOL}/agents", tool_views.attach, name="tool_give"),
    path(f"{_TOOL}/agents/<str:agent_id>/detach", tool_views.detach, name="tool_take"),
    path(f"{_TOOL}/versions", tool_views.versions, name="tool_versions"),
    path(f"{_TOOL}/versions/<int:number>", tool_views.restore, name="tool_restore"),
    path(f"{_TOOL}/delete", tool_views.delete, name="tool_delete"),
]
