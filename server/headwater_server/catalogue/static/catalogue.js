// Small help on top of pages that work without it: copy buttons, filters that apply at once, runs that go on by themselves.
"use strict";

for (const code of document.querySelectorAll("pre > code")) {
  if (!navigator.clipboard) break;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not copied";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  const frame = document.createElement("div");
  frame.className = "copyable";
  code.parentElement.replaceWith(frame);
  frame.append(code.parentElement, button);
}

const filters = document.querySelector("form.search");
if (filters) {
  // Empty fields would only lengthen the address.
  filters.addEventListener("submit", () => {
    for (const field of filters.elements) if (field.name && (!field.value || field.value === "relevance")) field.disabled = true;
  });
  addEventListener("pageshow", () => { for (const field of filters.elements) field.disabled = false; });
}

const live = document.querySelector("[data-events]");
if (live) {
  const list = document.getElementById("progress");
  const say = (name, text) => {
    for (const place of document.querySelectorAll(`[data-live="${name}"]`)) place.textContent = text;
  };
  // The browser asks again by itself after a break, with the number of the last event that it had.
  const source = new EventSource(live.dataset.events);
  source.addEventListener("record", (event) => {
    for (const line of JSON.parse(event.data)) {
      const item = document.createElement("li");
      if (line.tone) item.className = line.tone;
      item.textContent = line.text;
      list.append(item);
    }
  });
  source.addEventListener("state", (event) => {
    const state = JSON.parse(event.data);
    for (const [name, text] of Object.entries(state.texts)) say(name, text);
    const bar = document.querySelector("progress");
    if (bar) { bar.max = state.planned; bar.value = state.done; }
    const figure = document.querySelector("img[data-health]");
    if (figure && state.health) figure.src = `${figure.dataset.health}?${state.health}`;
    if (state.over) { source.close(); location.reload(); }
  });
  source.addEventListener("error", () => say("link", source.readyState === EventSource.CLOSED ? "not live: reload the page" : "connecting again"));
  source.addEventListener("open", () => say("link", "live"));
}
