{
const doc = document, form = doc.querySelector("#tool"), area = doc.querySelector(".source");
const all = (sel, from = doc) => [...from.querySelectorAll(sel)];
let editor;

/* Ace where it starts; the text box stays what is sent, and is there without Ace too */
try {
	ace.config.set("useStrictCSP", true);
	const box = doc.createElement("div");
	box.className = "source";
	area.before(box);
	editor = ace.edit(box, {
		mode: new (ace.require("ace/mode/python").Mode)(), theme: { cssClass: "ace-own", cssText: "" }, useWorker: false, showPrintMargin: false, fontSize: 13,
		enableKeyboardAccessibility: true, value: area.value, tabSize: 4, wrap: true, fixedWidthGutter: true,
	});
	editor.textInput.setAriaOptions({ role: "textbox" });
	box.querySelector("textarea").ariaLabel = doc.querySelector("label[for=tool-source_code]").textContent;
	area.hidden = true;
	editor.session.on("change", () => {
		area.value = editor.getValue();
		area.dispatchEvent(new Event("input", { bubbles: true }));
	});
	editor.commands.addCommand({ name: "save", bindKey: "Ctrl-S|Command-S", exec: () => form.requestSubmit() });
} catch { area.hidden = false; }

const annotate = () => editor?.session.setAnnotations(all("#problems [data-line]").map((li) => (
	{ row: Math.max(0, li.dataset.line - 1), text: li.innerText, type: "error" })));
annotate();
doc.addEventListener("htmx:afterSettle", annotate);
doc.addEventListener("click", (e) => {
	const line = +e.target.closest("#problems [data-line]")?.dataset.line;
	if (line) editor?.gotoLine(line, 0, true);
});

/* What is saved is not dirty any more */
doc.addEventListener("htmx:beforeOnLoad", ({ detail: { elt, xhr } }) => {
	if (elt !== form || xhr.status !== 200) return;
	form.removeAttribute("data-dirty");
	for (const field of form.elements) if (field.name && !field.name.startsWith("arg-")) field.defaultValue = field.value;
});

/* How long a run has been going on */
let clock;
doc.addEventListener("htmx:beforeRequest", ({ detail: { elt } }) => {
	if (elt.id !== "run-button") return;
	const since = Date.now();
	clock = setInterval(() => { elt.querySelector("[data-clock]").textContent = `${((Date.now() - since) / 1000).toFixed(1)} s`; }, 100);
});
doc.addEventListener("htmx:afterRequest", () => clearInterval(clock));
}
