{
const doc = document, root = doc.documentElement, agent = doc.body.dataset.agent;
const $ = (sel, from = doc) => from.querySelector(sel);
const all = (sel, from = doc) => [...from.querySelectorAll(sel)];
const on = (name, run) => doc.addEventListener(name, run);
const words = $("#words").dataset;
root.classList.add("js");

let store = {};
try { store = localStorage; } catch { }
const keep = (name, value) => { if (value) store[name] = value; else delete store[name]; };
const kept = (name) => store[name];
const mark = (name, value) => { root.dataset[name] = value; doc.cookie = `${name}=${value};path=/;max-age=31536000;samesite=lax`; };

/* Toasts */
const leave = (node) => {
	if (!node.matches(".error")) setInterval(() => node.matches(":hover, :focus-within") || node.remove(), 5000);
};
const made = (sel) => $(sel).content.firstElementChild.cloneNode(true);
const toast = (text, level = "error") => {
	const box = $("#toasts"), node = made("#toast-template");
	node.className = `toast ${level}`;
	$("p", node).textContent = text;
	box.children[2]?.remove();
	box.append(node);
	leave(node);
};
all(".toast").forEach(leave);

const pane = (side) => mark(side, root.dataset[side] === "off" ? "" : "off");
const acts = {
	theme: () => mark("theme", (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark" ? "light" : "dark"),
	left: () => pane("left"),
	right: () => pane("right"),
	letters: (box) => keep("letters", box.checked ? "" : "off"),
};
$("[data-act=letters]").checked = kept("letters") !== "off";
all("[data-grip]").forEach((grip) => {
	const side = grip.dataset.grip, left = side === "left", saved = kept(`width-${side}`);
	const widen = (px) => {
		const width = Math.min(420, Math.max(240, Math.round(px)));
		root.style.setProperty(`--${side}`, `${width}px`);
		grip.ariaValueNow = width;
		keep(`width-${side}`, width);
	};
	if (saved && innerWidth > 1180) widen(saved);
	grip.onpointerdown = (e) => { grip.setPointerCapture(e.pointerId); e.preventDefault(); };
	grip.onpointermove = (e) => { if (grip.hasPointerCapture(e.pointerId)) widen(left ? e.clientX - 52 : innerWidth - e.clientX); };
	grip.onkeydown = (e) => {
		const by = { ArrowLeft: -16, ArrowRight: 16 }[e.key] || 0;
		widen(+grip.ariaValueNow + (left ? by : -by));
	};
});
all("details[data-keep]").forEach((d) => {
	const name = `sec-${d.dataset.keep}`, saved = kept(name);
	if (saved) d.open = saved === "open";
	d.addEventListener("toggle", () => keep(name, d.open ? "open" : "shut"));
});
const tab = () => all(".tabs a").forEach((a) => { a.ariaCurrent = a.hash === (location.hash || "#main") ? "true" : null; });
addEventListener("hashchange", tab);
tab();
const local = (from) => all(".who time, .note time", from).forEach((t) => { t.textContent = new Date(t.dateTime).toTimeString().slice(0, 5); });
local(doc);
on("htmx:load", (e) => local(e.detail.elt));

const copy = (text) => navigator.clipboard.writeText(text).then(() => toast(words.copied, "success"));
on("click", (e) => {
	const hit = (sel) => e.target.closest(sel);
	let it;
	if ((it = hit("[data-act]"))) acts[it.dataset.act](it);
	else if ((it = hit("[data-copy]"))) copy(all(it.dataset.copy).map((n) => n.innerText).join("\n\n"));
	else if ((it = hit("[data-copy-text]"))) copy(it.dataset.copyText);
	else if ((it = hit("[data-close]"))) it.closest(".toast").remove();
	else if ((it = hit("dialog [data-close-dialog]"))) { e.preventDefault(); it.closest("dialog").close(); }
	else if (e.target.tagName === "DIALOG") e.target.close();
	else if (hit("#jump")) toEnd();
	else if ((it = hit("[data-retry]"))) {
		const row = it.closest(".pending");
		area.value = $(".body", row).textContent;
		row.remove();
		$("#composer").requestSubmit();
	}
});

/* Drafts are never replaced */
const count = (field) => {
	const out = $(`.counter[data-for="${field.id}"]`), size = [...field.value].length, limit = +out?.dataset.limit;
	if (!out) return;
	const text = size.toLocaleString(root.lang);
	out.textContent = limit ? `${text} / ${limit.toLocaleString(root.lang)}` : out.textContent.replace(/^\S+/, text);
	out.classList.toggle("over", size > limit);
};
const dirty = (box) => box.toggleAttribute("data-dirty", all("textarea, input:not([type=hidden])", box).some((f) => f.value !== f.defaultValue));
const busy = (box) => box.hasAttribute("data-dirty") || (box.contains(doc.activeElement) && doc.activeElement.matches("textarea, input"));
const renew = (box) => { const fresh = box.stale; if (fresh && box.isConnected && !busy(box)) { box.replaceWith(fresh); htmx.process(fresh); } };
on("input", ({ target }) => {
	const box = target.closest("[data-guard]");
	if (target.matches("textarea")) count(target);
	if (box) dirty(box);
	if (target === area) keep(`draft-${agent}`, target.value);
});
on("reset", ({ target }) => {
	const box = target.closest("[data-guard]");
	if (box) setTimeout(() => { all("textarea", box).forEach(count); dirty(box); renew(box); });
});
on("focusout", ({ target }) => { const box = target.closest("[data-guard]"); if (box?.stale) setTimeout(renew, 200, box); });
addEventListener("beforeunload", (e) => { if ($("[data-dirty]")) e.preventDefault(); });

/* A pushed card waits behind a draft */
let pushed = false;
on("htmx:oobBeforeSwap", (e) => {
	const { target, fragment } = e.detail, fresh = fragment.firstElementChild;
	if (!pushed || !target.matches("[data-guard]") || !fresh) return;
	const same = fresh.dataset.version === target.dataset.version, badge = $("[data-badge]", target);
	if (same || busy(target)) e.detail.shouldSwap = false;
	if (same || !busy(target) || !badge) return;
	badge.textContent = `${words.changed} (v${fresh.dataset.version})`;
	badge.hidden = false;
	target.stale = fresh.cloneNode(true);
});

/* What is typed during a save stays */
on("htmx:beforeRequest", ({ detail: { elt } }) => { elt.sent = $("textarea", elt)?.value; });
on("htmx:beforeSwap", (e) => {
	const { requestConfig: { elt }, xhr } = e.detail, now = $("textarea", elt);
	if (xhr.status > 200 || !now || now.value === elt.sent) return;
	e.detail.shouldSwap = false;
	const own = $("[name=version]", elt);
	if (own) own.value = /name="version" value="(\d+)/.exec(xhr.responseText)[1];
});

/* Conversation */
const scroller = $("#scroll"), area = $("#composer-text"), jump = $("#jump"), log = $("#log");
let stick = true;
const atEnd = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 48;
const toEnd = () => { scroller.scrollTop = scroller.scrollHeight; jump.hidden = true; };
const lastSeq = () => Math.max(0, ...all("[data-seq]", log).map((n) => +n.dataset.seq || 0));
const acked = ({ cid, ok, text }) => {
	const row = cid && $(`#pending-${cid}`);
	if (!row || ok === "1") return;
	row.classList.add("failed");
	$(".chip", row).textContent = words.failed;
	$(".alert p", row).textContent = text;
	$(".alert", row).hidden = false;
};
if (scroller) {
	toEnd();
	area.value = area.value || kept(`draft-${agent}`) || "";
	scroller.onscroll = () => { if (atEnd()) jump.hidden = true; };
	on("htmx:wsConfigSend", (e) => {
		const sent = e.detail.parameters;
		if (sent.action !== "send") return;
		if (!sent.text.trim()) return e.preventDefault();
		sent.cid = `c${Date.now()}`;
		const row = made("#pending-row");
		row.id = `pending-${sent.cid}`;
		$(".body", row).textContent = sent.text;
		log.append(row);
		toEnd();
		if (e.target.id !== "composer") return;
		area.value = "";
		$("#composer [name=role]").value = "user";
	});
	on("htmx:wsBeforeMessage", ({ detail }) => {
		pushed = true;
		stick = atEnd();
		for (const [, id] of detail.message.matchAll(/id="(block-[\w-]+)" data-guard/g)) {
			if (!$(`#${id}`)) $("#blocks").insertAdjacentHTML("beforeend", `<article id="${id}"></article>`);
		}
	});
	on("htmx:wsAfterMessage", () => {
		pushed = false;
		acked($("#ack").dataset);
		all(".pending", log).forEach((row) => { if ($(`[data-otid="${row.id.slice(8)}"]`, log)) row.remove(); });
		if (!area.value && !$(".pending", log)) keep(`draft-${agent}`, "");
		if (stick) toEnd();
		else jump.hidden = false;
	});
	let below = 0;
	on("htmx:beforeSwap", ({ detail }) => { if (detail.target.id === "older") below = scroller.scrollHeight - scroller.scrollTop; });
	on("htmx:afterSettle", () => { if (below) scroller.scrollTop = scroller.scrollHeight - below; below = 0; });
}

let down;
htmx.config.wsReconnectDelay = (n) => Math.min(3000, 400 * 2 ** n) * (0.5 + Math.random() / 2);
on("htmx:wsOpen", (e) => {
	down = clearTimeout(down);
	$("#netbar").hidden = true;
	all("[data-live]").forEach((n) => n.remove());
	e.detail.socketWrapper.sendImmediately(JSON.stringify({ action: "resume", seq: lastSeq() }));
});
on("htmx:wsClose", () => { down ||= setTimeout(() => { $("#netbar").hidden = false; }, 2000); });
on("htmx:afterSwap", ({ detail: { target } }) => { if (target.tagName === "DIALOG" && !target.open) target.showModal(); });
on("htmx:sendError", () => toast(words.offline));
on("htmx:responseError", () => toast(words.error));

/* Keys */
let chord = "";
const step = (by) => {
	const list = all(".msg, .note", log || doc), at = list.indexOf(doc.activeElement.closest(".msg, .note"));
	(list[at + by] || list.at(at))?.focus();
};
const letters = {
	"/": () => area?.focus(), "[": () => pane("left"), "]": () => pane("right"), "?": () => $("#keys").togglePopover(),
	ga: () => $(".rail a").click(), j: () => step(1), k: () => step(-1), 1: () => all(".tab")[0]?.click(), 2: () => all(".tab")[1]?.click(),
};
on("keydown", (e) => {
	const at = e.target, ctrl = e.ctrlKey || e.metaKey;
	const form = ctrl && e.key === "s" && at.closest("[data-guard]");
	if (form) { e.preventDefault(); (at.form || form).requestSubmit(); }
	else if (at === area && e.key === "Enter" && !e.shiftKey && !e.isComposing) {
		e.preventDefault();
		if (ctrl) $("#composer [name=role]").value = "system";
		$("#composer").requestSubmit();
	} else if (e.key === "Escape") {
		if (!$("dialog[open], :popover-open")) $("#stop-slot button")?.click();
	} else if (!ctrl && !e.altKey && !at.matches("input, textarea, select") && kept("letters") !== "off") {
		const act = letters[chord + e.key];
		chord = e.key === "g" ? "g" : "";
		if (act) { e.preventDefault(); act(); }
	}
});
}
