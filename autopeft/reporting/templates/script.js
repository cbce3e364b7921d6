document.querySelectorAll("input[data-filter]").forEach((input) => {
  const rows = [...document.getElementById(input.dataset.filter).tBodies[0].rows];
  const count = document.getElementById(input.dataset.filter + "-count");
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    rows.forEach((row) => {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    });
    count.textContent = rows.filter((row) => !row.hidden).length + " of " + rows.length;
  });
  input.closest("label").hidden = false;
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
