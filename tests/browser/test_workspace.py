"""The workspace in a real browser against the real server and a fake provider."""

from __future__ import annotations

import re
import threading

from playwright.sync_api import Page, expect

from tests.browser.steps import (
    FAKE_MODEL,
    WORKSPACE,
    card,
    expect_status,
    make_agent,
    open_workspace,
    say,
    text_of,
    write,
)
from tests.fakes.openai_replies import Call, Failure, Reply, error_body
from tests.fakes.openai_server import FakeOpenAI
from tests.product import Product

INSERT = "memory_insert"


def test_an_agent_is_created_in_the_dialog_and_talked_to(
    page: Page, fake_openai: FakeOpenAI
) -> None:
    fake_openai.push("Hello **Ada**.")
    page.goto("/")
    page.get_by_role("link", name="New agent").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("Dialog agent")
    dialog.get_by_label("Model").select_option(FAKE_MODEL)
    dialog.get_by_label("persona").fill("I am Sam.")
    dialog.get_by_role("button", name="Create agent").click()
    page.wait_for_url(WORKSPACE)

    expect(page.get_by_role("heading", name="Dialog agent", level=1)).to_be_visible()
    expect(text_of(page, "persona")).to_have_value("I am Sam.")
    write(page, "My name is Ada.")
    expect(page.locator("#log strong")).to_have_text("Ada")
    expect_status(page, "idle")
    expect(page.get_by_label("Message to the agent")).to_have_value("")


def test_bad_input_comes_back_beside_its_field(page: Page, page_faults: list[str]) -> None:
    page.goto("/agents/new")
    page.get_by_label("Name", exact=True).fill("no <angles>")
    page.get_by_label("persona").fill("kept")
    page.get_by_role("button", name="Create agent").click()

    expect(page.locator("#new-agent-name_error")).to_contain_text("invalid characters")
    expect(page.get_by_label("persona")).to_have_value("kept")
    assert all("422" in fault for fault in page_faults)
    page_faults.clear()


def test_text_arrives_while_it_is_written(
    page: Page, letta_server: Product, fake_openai: FakeOpenAI
) -> None:
    words = " ".join(f"word{n}" for n in range(40))
    fake_openai.push(Reply(f"{words} **end**", delay_s=0.04))
    open_workspace(page, make_agent(letta_server))
    write(page, "Count.")

    live = page.locator("#log [data-live]")
    expect(live).to_contain_text("word3")
    assert "word39" not in live.inner_text()
    expect_status(page, "thinking")
    expect(page.locator("#log strong")).to_have_text("end")
    expect(live).to_have_count(0)
    live_html = page.locator("#log .msg").evaluate_all("rows => rows.map(r => r.outerHTML).join()")
    page.reload()
    assert live_html == page.locator("#log .msg").evaluate_all(
        "rows => rows.map(r => r.outerHTML).join()"
    )


def test_model_text_cannot_do_anything_to_the_page(
    page: Page, letta_server: Product, fake_openai: FakeOpenAI
) -> None:
    fake_openai.push(
        "<script>window.hit = 1</script> <img src=x onerror='window.hit = 1'> "
        "![spy](https://example.invalid/a.png) [link](https://example.invalid) "
        "[bad](javascript:window.hit=1)"
    )
    open_workspace(page, make_agent(letta_server))
    write(page, "<b>hi</b>")

    link = page.locator("#log .step a", has_text="link")
    expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")
    expect(page.locator("#log .user .body")).to_have_text("<b>hi</b>")
    expect(page.locator("#log .step img, #log script, #log a[href^=javascript]")).to_have_count(0)
    assert page.evaluate("window.hit") is None


def test_a_block_is_edited_by_hand(page: Page, letta_server: Product) -> None:
    open_workspace(page, make_agent(letta_server))
    box = text_of(page, "human")
    box.fill("Name: Chad\nLives in: Oslo")
    expect(card(page, "human").locator(".counter")).to_contain_text("25 /")
    box.press("Control+s")

    expect(card(page, "human")).to_contain_text("Saved")
    expect(card(page, "human")).to_contain_text("v2 · you")
    page.reload()
    expect(text_of(page, "human")).to_have_value("Name: Chad\nLives in: Oslo")
    card(page, "human").get_by_role("link", name="History").click()
    history = page.get_by_role("dialog")
    expect(history).to_contain_text("+Lives in: Oslo")
    history.get_by_role("button", name="Restore").click()
    expect(text_of(page, "human")).to_have_value("Name: Chad")


def test_what_is_typed_while_a_block_is_saved_stays(page: Page, letta_server: Product) -> None:
    open_workspace(page, make_agent(letta_server))
    page.route("**/save", lambda route: (page.wait_for_timeout(300), route.continue_()))
    box = text_of(page, "human")
    box.fill("first")
    with page.expect_response("**/save"):
        box.press("Control+s")
        box.press_sequentially(" and second")
    expect(box).to_have_value("first and second")
    with page.expect_response("**/save") as answer:
        box.press("Control+s")
    assert answer.value.status == 200
    expect(card(page, "human")).to_contain_text("v3 · you")


def test_an_edit_of_the_agent_appears_at_once(
    page: Page, letta_server: Product, fake_openai: FakeOpenAI
) -> None:
    edit = Call(INSERT, {"label": "human", "new_string": "Lives in: Oslo"})
    fake_openai.push(Reply(calls=(edit,)), "Noted.")
    open_workspace(page, make_agent(letta_server))
    write(page, "I live in Oslo.")

    expect(text_of(page, "human")).to_have_value(re.compile("Lives in: Oslo"))
    expect(card(page, "human")).to_contain_text(INSERT)
    tool = page.locator("#log .tool")
    expect(tool).to_contain_text(INSERT)
    expect(tool.locator(".diff .a")).to_contain_text("Lives in: Oslo")
    expect(page.locator("#log .step").last).to_contain_text("Noted.")


def test_a_block_that_the_agent_makes_appears(
    page: Page, letta_server: Product, fake_openai: FakeOpenAI
) -> None:
    arguments = {
        "command": "create",
        "path": "/memories/plans",
        "description": "What is planned.",
        "file_text": "Build a bridge.",
    }
    fake_openai.push(Reply(calls=(Call("memory", arguments),)), "Made.")
    open_workspace(page, make_agent(letta_server, tools=["memory"]))
    write(page, "Make a block for plans.")

    expect(text_of(page, "plans")).to_have_value("Build a bridge.")
    expect(page.locator("#blocks-count")).to_have_text("3")
    text_of(page, "plans").fill("Build two bridges.")
    text_of(page, "plans").press("Control+s")
    expect(card(page, "plans")).to_contain_text("v2 · you")


def test_agents_that_speak_through_a_tool_stream_too(
    page: Page, letta_server: Product, fake_openai: FakeOpenAI
) -> None:
    words = " ".join(f"word{n}" for n in range(60))
    arguments = {"thinking": "I greet.", "message": f"{words} \u2028 **end**"}
    fake_openai.push(Reply(calls=(Call("send_message", arguments),), delay_s=0.03))
    open_workspace(page, make_agent(letta_server, agent_type="memgpt_v2_agent"))
    write(page, "Hello.")

    live = page.locator("#log [data-live]")
    expect(live).to_contain_text("word3")
    assert "word59" not in live.inner_text()
    answer = page.locator("#log .step").last
    expect(answer.locator("strong")).to_have_text("end")
    expect(answer.locator(".think")).to_have_text("I greet.")
    expect(page.locator("#log .tool")).to_have_count(0)


def test_an_edit_of_the_agent_never_touches_a_draft(
    page: Page, letta_server: Product, fake_openai: FakeOpenAI, page_faults: list[str]
) -> None:
    agent_id = make_agent(letta_server)
    open_workspace(page, agent_id)
    text_of(page, "human").fill("my draft")
    edit = Call(INSERT, {"label": "human", "new_string": "Lives in: Oslo"})
    fake_openai.push(Reply(calls=(edit,)), "Noted.")
    say(letta_server, agent_id, "I live in Oslo.")

    expect(card(page, "human")).to_contain_text("changed by the agent (v2)")
    expect(text_of(page, "human")).to_have_value("my draft")
    text_of(page, "human").press("Control+s")
    expect(card(page, "human")).to_contain_text("Nothing was overwritten")
    expect(card(page, "human").locator(".diff .d").last).to_contain_text("Lives in: Oslo")
    expect(text_of(page, "human")).to_have_value("my draft")
    card(page, "human").get_by_role("button", name="Save mine").click()
    expect(card(page, "human")).to_contain_text("v3 · you")
    assert all("409" in fault for fault in page_faults)
    page_faults.clear()


def test_their_version_can_be_taken(
    page: Page, letta_server: Product, fake_openai: FakeOpenAI, page_faults: list[str]
) -> None:
    agent_id = make_agent(letta_server)
    open_workspace(page, agent_id)
    text_of(page, "human").fill("my draft")
    edit = Call(INSERT, {"label": "human", "new_string": "Lives in: Oslo"})
    fake_openai.push(Reply(calls=(edit,)), "Noted.")
    say(letta_server, agent_id, "I live in Oslo.")
    text_of(page, "human").press("Control+s")
    card(page, "human").get_by_role("link", name="Take theirs").click()

    expect(text_of(page, "human")).to_have_value(re.compile("Lives in: Oslo"))
    page_faults.clear()


def test_a_message_sent_over_rest_appears_live(
    page: Page, letta_server: Product, fake_openai: FakeOpenAI
) -> None:
    agent_id = make_agent(letta_server)
    open_workspace(page, agent_id)
    fake_openai.push("Hello from the model.")
    say(letta_server, agent_id, "Hello from a program.")

    expect(page.locator("#log .user")).to_contain_text("Hello from a program.")
    expect(page.locator("#log .step")).to_contain_text("Hello from the model.")
    expect(page.locator("#log .msg")).to_have_count(2)


def test_a_run_is_stopped(page: Page, letta_server: Product, fake_openai: FakeOpenAI) -> None:
    fake_openai.push(Reply("slow " * 400, delay_s=0.05))
    open_workspace(page, make_agent(letta_server))
    write(page, "Go on for ever.")
    expect(page.locator("#log [data-live]")).to_contain_text("slow")
    page.get_by_role("button", name="Stop").click()

    expect_status(page, "stopped")
    expect(page.get_by_role("button", name="Stop")).to_have_count(0)
    expect(page.locator("#log [data-live]")).to_have_count(0)


def test_a_failure_says_what_to_do_and_is_still_there_later(
    page: Page, letta_server: Product, fake_openai: FakeOpenAI
) -> None:
    refusal = Failure(401, error_body("Incorrect API key provided."))
    fake_openai.answer_with(lambda _request: refusal)
    open_workspace(page, make_agent(letta_server))
    write(page, "Hello?")

    expect(page.get_by_role("alert")).to_contain_text("The run failed")
    expect_status(page, "failed")
    page.reload()
    expect(page.get_by_role("alert")).to_contain_text("The run failed")
    expect(page.locator("#log .user")).to_contain_text("Hello?")


def test_a_second_message_waits_for_its_turn(
    page: Page, letta_server: Product, fake_openai: FakeOpenAI
) -> None:
    gate = threading.Event()
    fake_openai.push(Reply("First answer.", wait_for=gate), "Second answer.")
    open_workspace(page, make_agent(letta_server))
    write(page, "First question.")
    expect_status(page, "thinking")
    write(page, "Second question.")
    expect(page.locator("#log .pending")).to_contain_text("Second question.")
    gate.set()

    expect(page.locator("#log .step").last).to_contain_text("Second answer.")
    texts = [row.split("\n")[-1] for row in page.locator("#log .msg").all_inner_texts()]
    assert texts == ["First question.", "First answer.", "Second question.", "Second answer."]


def test_archival_memory_is_added_found_and_deleted(page: Page, letta_server: Product) -> None:
    open_workspace(page, make_agent(letta_server))
    page.get_by_text("Add a passage").click()
    form = page.locator("#add-passage")
    form.get_by_label("Text").fill("Rye bread is best with butter.")
    form.get_by_label("Tags").fill("food, bread")
    form.get_by_role("button", name="Add").click()

    passages = page.locator("#passages")
    expect(passages).to_contain_text("Rye bread")
    expect(page.locator("#passages-count")).to_have_text("1")
    search = page.get_by_role("searchbox", name="Search passages")
    search.fill("zebra")
    expect(passages).to_contain_text("No passage matches")
    search.fill("butter")
    expect(passages).to_contain_text("Rye bread")
    page.on("dialog", lambda question: question.accept())
    passages.get_by_role("button", name="Delete this passage").click()
    expect(page.locator("#passages-count")).to_have_text("0")


def test_blocks_and_tools_are_attached_and_detached(page: Page, letta_server: Product) -> None:
    open_workspace(page, make_agent(letta_server))
    page.get_by_text("Add a block").click()
    form = page.locator("#add-block")
    form.get_by_label("Label").fill("project")
    form.get_by_label("Text").fill("Build the bridge.")
    form.get_by_role("button", name="Create block").click()
    expect(text_of(page, "project")).to_have_value("Build the bridge.")
    expect(page.locator("#blocks-count")).to_have_text("3")
    card(page, "project").get_by_role("button", name="Detach project").click()
    expect(page.locator("#blocks-count")).to_have_text("2")

    page.get_by_label("Tool to attach").select_option(label="archival_memory_search")
    page.locator("#tools").get_by_role("button", name="Attach").click()
    expect(page.locator("#tools li")).to_have_count(4)
    page.get_by_role("button", name="Detach archival_memory_search").click()
    expect(page.locator("#tools li")).to_have_count(3)


def test_settings_are_saved_at_once(page: Page, letta_server: Product) -> None:
    open_workspace(page, make_agent(letta_server))
    page.get_by_label("Context window").fill("16000")
    page.get_by_label("Temperature").click()
    expect(page.locator("#settings")).to_contain_text("Saved")
    page.get_by_label("Temperature").fill("0.3")
    page.get_by_label("Longest answer").click()
    expect(page.get_by_label("Temperature")).to_have_value("0.3")
    page.reload()

    expect(page.get_by_label("Context window")).to_have_value("16000")
    expect(page.get_by_label("Temperature")).to_have_value("0.3")
    expect(page.locator("#context-box")).to_contain_text("of 16,000 tokens")
