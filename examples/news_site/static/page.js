// Makes the page livelier; nothing depends on it. Forms and links that carry `data-swap` are sent in the background, and the
// answer is a list of parts. An element with an id takes the place of the one in the page; the others say what they are for:
//
//   data-append="id"    comments that go to the end of that list
//   data-arrived        a comment that was written just now, here ("own") or elsewhere
//   data-gone="id"      this is no longer shown
//   data-say            a sentence for the live region
//   data-focus="id"     where the focus goes
//   data-refresh="css"  comments that look different now
//   data-token          what forms must bring from now on: this browser has signed in or out elsewhere
"use strict";

const section = document.getElementById("comments-section");
const status = document.getElementById("status");
const live = section ? section.dataset.live : null;
const byId = (id) => document.getElementById(id);
const later = (ms) => new Promise((done) => setTimeout(done, ms));

function say(text, isAlert = false) {
  status.classList.toggle("alert", isAlert);
  status.textContent = text;
}

// --- parts -------------------------------------------------------------------------------------------------------------------

function replace(part) {
  const old = byId(part.id);
  if (!old) return;
  const inside = old.contains(document.activeElement) ? document.activeElement.id : "";
  const tools = old.querySelector("details[open]");
  old.replaceWith(part);
  if (tools && part.querySelector("details")) part.querySelector("details").open = true;
  if (part.dataset.open !== undefined && part.showModal) part.showModal();
  if (inside) (byId(inside) || part).focus({ preventScroll: true });
}

function append(list, comments) {
  for (const comment of comments) {
    const old = byId(comment.id);
    if (old) old.remove(); // it had arrived below the list, and has its place now
    list.append(comment);
  }
}

// A comment that was just written. Where it is on the page already, only its own text changes: its replies and forms stay.
function arrive(comment, isOwn) {
  if (byId(comment.id)) return replace(comment.querySelector(".box"));
  const parent = comment.dataset.parent;
  comment.classList.add("new");
  if (parent) {
    const list = byId(`r-${parent}`);
    const more = byId(`m-${parent}`);
    if (list && (isOwn || !more || !more.firstElementChild)) list.append(comment);
    return;
  }
  if (section.dataset.order === "one") return;
  const roots = byId("comments");
  const more = byId("more");
  if (section.dataset.order === "newest") roots.prepend(comment);
  else if (section.dataset.order === "oldest" && !(more && more.firstElementChild)) roots.append(comment);
  else byId("arrived").append(comment);
}

// A comment is no longer shown. Whoever is writing an answer to it keeps what they have written.
function remove(comment) {
  if (!comment) return;
  const box = comment.querySelector(".box");
  if (!comment.querySelector("form.write")) comment.remove();
  else if (box) box.textContent = "This comment is no longer shown.";
}

function apply(html) {
  const parts = new DOMParser().parseFromString(html, "text/html").body;
  let focus = null;
  for (const part of [...parts.children]) {
    const data = part.dataset;
    if (data.append) append(byId(data.append), [...part.children]);
    else if (data.arrived !== undefined) arrive(part.firstElementChild, data.arrived === "own");
    else if (data.gone) remove(byId(data.gone));
    else if (data.say) say(part.textContent, data.say === "alert");
    else if (data.token) document.querySelectorAll("input[name=csrf]").forEach((field) => (field.value = data.token));
    else if (data.focus) focus = data.focus;
    else if (data.refresh) refresh([...document.querySelectorAll(data.refresh)].map((box) => box.id.slice(2)));
    else if (part.id) replace(part);
  }
  if (focus && byId(focus)) byId(focus).focus();
}

// --- sending -----------------------------------------------------------------------------------------------------------------

async function ask(url, options = {}) {
  try {
    const answer = await fetch(url, { ...options, headers: { ...options.headers, "X-Fragment": "1" } });
    const text = await answer.text();
    if ((answer.headers.get("content-type") || "").startsWith("text/html")) apply(text);
    else say(text.trim() || "Something went wrong.", true);
    return answer.ok;
  } catch {
    say("The site can not be reached. What you have typed is still here; please try again.", true);
    return false;
  }
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.dataset.swap === undefined) return;
  event.preventDefault();
  if (form.dataset.busy) return;
  form.dataset.busy = "1";
  const button = event.submitter;
  const fields = new URLSearchParams(new FormData(form, button));
  const url = button && button.hasAttribute("formaction") ? button.formAction : form.action;
  await ask(url, { method: "POST", body: fields });
  delete form.dataset.busy;
});

let opener = null;

document.addEventListener("click", async (event) => {
  const link = event.target.closest("a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  if (link.dataset.swap !== undefined) {
    event.preventDefault();
    if (link.dataset.busy) return;
    link.dataset.busy = "1";
    opener = link.id;
    await ask(link.href);
    delete link.dataset.busy;
  } else if (link.dataset.cancel !== undefined) {
    const slot = link.closest(".slot, dialog");
    if (!slot) return;
    event.preventDefault();
    if (slot.close) slot.close();
    slot.replaceChildren();
    if (opener) byId(opener)?.focus();
  }
});

// Ctrl+Enter sends the form that one is writing in.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  const form = event.target.closest("form.write");
  if (form) form.requestSubmit();
  else correct();
});

// --- corrections -------------------------------------------------------------------------------------------------------------

// Where the selection lies in the article's text, in characters (code points), without what corrections have added.
function selected() {
  const selection = getSelection();
  if (!selection.rangeCount || selection.isCollapsed) return null;
  const range = selection.getRangeAt(0);
  const length = (text) => [...text].length;
  let start = null;
  let end = null;
  for (const paragraph of document.querySelectorAll("#text p[data-start]")) {
    let at = Number(paragraph.dataset.start);
    const texts = document.createTreeWalker(paragraph, NodeFilter.SHOW_TEXT);
    for (let node = texts.nextNode(); node; node = texts.nextNode()) {
      if (node.parentElement.closest("[data-added]")) continue;
      if (range.intersectsNode(node)) {
        const from = node === range.startContainer ? range.startOffset : 0;
        const to = node === range.endContainer ? range.endOffset : node.length;
        if (to > from) {
          if (start === null) start = at + length(node.data.slice(0, from));
          end = at + length(node.data.slice(0, to));
        }
      }
      at += length(node.data);
    }
  }
  return start === null ? null : { start, end };
}

function correct() {
  const text = byId("text");
  const passage = text && selected();
  if (passage) ask(`${text.dataset.correct}?${new URLSearchParams({ ...passage, version: text.dataset.version })}`);
}

const touch = document.querySelector(".touch");
if (touch) {
  const isTouch = matchMedia("(pointer: coarse)");
  document.addEventListener("selectionchange", () => {
    if (document.activeElement?.id !== "correct-passage") touch.hidden = !(isTouch.matches && selected());
  });
  byId("correct-passage").addEventListener("pointerdown", (event) => event.preventDefault()); // keep the selection
  byId("correct-passage").addEventListener("click", correct);
}

// --- news --------------------------------------------------------------------------------------------------------------------

const MOST = 50; // ids in one request

async function refresh(ids) {
  for (let at = 0; at < ids.length || at === 0; at += MOST) {
    const query = new URLSearchParams(ids.slice(at, at + MOST).map((id) => ["c", id]));
    await ask(`${live}/parts?${query}`);
  }
}

if (live && "EventSource" in window) {
  let since = Number(section.dataset.revision);
  let source = null;
  let waiting = new Set();
  let busy = false;

  async function takeIn() {
    if (busy) return;
    busy = true;
    while (waiting.size) {
      await later(100); // what comes close together is asked for together
      const ids = [...waiting].filter((id) => id !== "-");
      waiting = new Set();
      await refresh(ids);
    }
    busy = false;
  }

  function listen() {
    source = new EventSource(`${live}/events?since=${since}`);
    source.addEventListener("open", () => document.documentElement.setAttribute("data-listening", ""));
    source.addEventListener("changes", (event) => {
      since = Number(event.lastEventId);
      const told = JSON.parse(event.data);
      for (const [id, parent] of Object.entries(told.posted)) {
        if (!parent || byId(`c-${parent}`)) waiting.add(id);
      }
      const boxes = told.everything ? [...document.querySelectorAll(".box")].map((box) => box.id.slice(2)) : told.changed;
      for (const id of boxes) {
        if (byId(`b-${id}`)) waiting.add(id);
      }
      if (told.article) waiting.add("article");
      waiting.add("-"); // the counts have changed in any case
      takeIn();
    });
    source.addEventListener("error", async () => {
      document.documentElement.removeAttribute("data-listening");
      if (source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
      await later(3000);
      if (source.readyState === EventSource.CLOSED && !document.hidden) listen();
    });
  }

  // A browser keeps few connections to one site: a page that nobody looks at gives its own back, and catches up later.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) source.close();
    else listen();
  });
  listen();
}
