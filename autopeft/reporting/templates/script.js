const marked = (trial) => document.querySelectorAll(`[data-t="${trial}"]`);
document.querySelectorAll("input[data-filter]").forEach((input) => {
  const rows = [...document.getElementById(input.dataset.filter).tBodies[0].rows];
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const count = document.getElementById(input.dataset.filter + "-count");
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    rows.forEach((row, i) => {
      row.hidden = !words.every((word) => texts[i].includes(word));
      marked(row.dataset.t).forEach((mark) => mark.classList.toggle("off", row.hidden));
    });
    count.textContent = rows.filter((row) => !row.hidden).length + " of " + rows.length;
  });
  input.closest("label").hidden = false;
});
let lit = null;
document.addEventListener("pointerover", (event) => {
  const now = event.target.closest("[data-t]")?.dataset.t ?? null;
  if (now === lit) return;
  if (lit !== null) marked(lit).forEach((mark) => mark.classList.remove("lit"));
  if (now !== null) marked(now).forEach((mark) => mark.classList.add("lit"));
  lit = now;
});
document.querySelectorAll("[data-panes]").forEach((box) => {
  const panes = [...box.querySelectorAll(".pane")];
  const buttons = panes.map((pane) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = pane.dataset.name;
    button.addEventListener("click", () => show(pane));
    return button;
  });
  const show = (shown) => panes.forEach((pane, i) => {
    pane.hidden = pane !== shown;
    buttons[i].setAttribute("aria-pressed", String(pane === shown));
  });
  const bar = document.createElement("div");
  bar.className = "switch";
  bar.append(...buttons);
  box.prepend(bar);
  show(panes[0]);
});
document.querySelectorAll(".copy").forEach((box) => {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    const text = box.querySelector("code");
    getSelection().selectAllChildren(text);
    try {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Selected";
    }
  });
  box.append(button);
});
