/** The chat page: shows what the server tells over server-sent events, and speaks as the owner. */
import { el, renderMessage } from "./message.js";

/** @typedef {import("../owner.ts").ChatMessage} Message */
/** @typedef {{ webhook: { set: boolean, pending: number, error: string | null }, commands: readonly { command: string, description: string }[] }} Status */

/** @param {string} id */
const $ = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const log = $("log");
const list = $("messages");
const input = /** @type {HTMLTextAreaElement} */ ($("input"));
const sendButton = /** @type {HTMLButtonElement} */ ($("send"));
const quickly = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";

/** Closer to the end than this counts as being there, pixels. */
const nearEnd = 60;
/** Messages this close together form a group, milliseconds. */
const groupMs = 5 * 60_000;
/** Telegram shows "typing" this long unless a message comes first, milliseconds. */
const typingMs = 5000;
/** A tap that nobody answers stops looking busy, milliseconds. */
const busyMs = 15_000;

/** Trouble that is over sooner is not worth a word, milliseconds. */
const troubleMs = 1200;

/** @type {Map<number, Message>} */
const messages = new Map();
/** @type {Map<number, HTMLElement>} */
const items = new Map();
/** Taps not answered yet: query → what ends their waiting. @type {Map<string, () => void>} */
const busy = new Map();
/** Answers that overtook the answer to the tap itself. @type {Set<string>} */
const early = new Set();
/** @type {Status["commands"]} */
let commands = [];
/** @type {number | null} */
let replyTo = null;
let botName = "Bot";
let connected = false;
let typingUntil = 0;
/** New messages below what is in view, and loud ones that came while the page was out of sight. */
let unseen = 0;
let unheard = 0;
/** Whether the end was in view before the latest change. */
let following = true;

// What is shown

/**
 * Puts a message, or a new version of one, on the page; `arrange` has to follow.
 * @param {Message} message
 */
function place(message) {
  const before = items.get(message.id);
  const item = renderMessage(message, { botName, onTap: tap, onReply: startReply, onQuote: goTo });
  messages.set(message.id, message);
  items.set(message.id, item);
  if (before) replaceKept(before, item);
  else list.append(item);
}

/** @param {Message} message */
function show(message) {
  const isNew = !messages.has(message.id);
  place(message);
  arrange();
  if (isNew && message.from === "bot") {
    typingUntil = 0;
    presence();
    if (!following) unseen += 1;
    if (document.hidden && !message.silent) unheard += 1;
  }
  if (following || (isNew && message.from === "owner")) toEnd();
  marks();
}

/**
 * Puts `item` in the place of `before` and keeps what was open or focused there.
 * @param {HTMLElement} before
 * @param {HTMLElement} item
 */
function replaceKept(before, item) {
  const parts = "a, button, summary, pre";
  const focused = [...before.querySelectorAll(parts)].indexOf(document.activeElement ?? before);
  const open = before.querySelector("details");
  if (open) item.querySelector("details")?.replaceWith(open);
  item.classList.add("still");
  before.replaceWith(item);
  const next = item.querySelectorAll(parts)[focused];
  if (focused >= 0) (next instanceof HTMLElement ? next : log).focus({ preventScroll: true });
}

/** Marks where a group of messages begins and ends, and where a day does. Touches nothing that is right already. */
function arrange() {
  /** @type {Message | null} */
  let last = null;
  for (const message of messages.values()) {
    const item = items.get(message.id);
    const newDay = last === null || dayOf(last.at) !== dayOf(message.at);
    const begins = newDay || last?.from !== message.from || message.at - last.at > groupMs;
    item?.classList.toggle("begins", begins);
    item?.classList.add("ends");
    if (!begins && last) items.get(last.id)?.classList.remove("ends");
    const separator = item?.previousElementSibling?.classList.contains("day") ? item.previousElementSibling : null;
    if (newDay && !separator) item?.before(el("li", { class: "day" }, el("span", {}, dayOf(message.at))));
    if (!newDay) separator?.remove();
    last = message;
  }
  $("empty").hidden = messages.size > 0;
}

/** @param {number} at */
function dayOf(at) {
  const day = new Date(at);
  if (day.toDateString() === new Date().toDateString()) return "Today";
  return day.toLocaleDateString(undefined, { day: "numeric", month: "long", year: "numeric" });
}

const atEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < nearEnd;

function toEnd() {
  log.scrollTop = log.scrollHeight;
  following = true;
  unseen = 0;
}

/** @param {number} id */
function goTo(id) {
  const item = items.get(id);
  if (!item) return toast("That message is not kept any more.");
  item.scrollIntoView({ block: "center", behavior: quickly });
  item.classList.remove("flash");
  requestAnimationFrame(() => item.classList.add("flash"));
}

function marks() {
  $("down").hidden = atEnd();
  $("unseen").hidden = unseen === 0;
  $("unseen").textContent = unseen === 0 ? "" : String(unseen);
  document.title = unheard > 0 ? `(${unheard}) ${botName}` : botName;
}

function presence() {
  const typing = Date.now() < typingUntil;
  const text = connected ? (typing ? "typing" : "bot") : "connecting";
  if ($("presence").textContent !== text) $("presence").textContent = text;
  $("presence").classList.toggle("dots", typing || !connected);
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let toastTimer;
/**
 * @param {string} text
 * @param {number} [ms]
 */
function toast(text, ms = 3500) {
  clearTimeout(toastTimer);
  $("toast").textContent = text;
  $("toast").classList.add("shown");
  toastTimer = setTimeout(() => $("toast").classList.remove("shown"), ms);
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let troubleTimer;
/** Says so where updates can't be delivered, but not of what mends itself at once. @param {Status} status */
function showStatus({ webhook, commands: offered }) {
  commands = offered;
  const why = webhook.set ? webhook.error : "no webhook is set";
  const waits = webhook.pending === 1 ? "1 update waits" : `${webhook.pending} updates wait`;
  const text = webhook.pending > 0 && why ? `Headquarters does not answer yet (${why}). ${waits} and will be delivered.` : "";
  clearTimeout(troubleTimer);
  troubleTimer = setTimeout(
    () => {
      $("trouble").hidden = text === "";
      $("trouble").textContent = text;
    },
    text === "" ? 0 : troubleMs,
  );
}

// What the owner does

/**
 * @param {string} path
 * @param {object} body
 */
async function post(path, body) {
  const response = await fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

/** @param {unknown} error */
function notSent(error) {
  const why = error instanceof Error && !(error instanceof TypeError) ? error.message : "this page lost its server.";
  toast(`Not sent: ${why}`, 6000);
}

let sending = false;
async function send() {
  const text = input.value;
  if (text.trim() === "" || sending) return;
  sending = true;
  try {
    await post("/dev/say", { text, ...(replyTo !== null && { replyTo }) });
    if (input.value === text) input.value = "";
    stopReply();
    typed();
  } catch (error) {
    notSent(error);
  } finally {
    sending = false;
  }
}

/**
 * @param {Message} message
 * @param {string} data
 * @param {HTMLElement} button
 */
async function tap(message, data, button) {
  if (button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  const free = () => button.removeAttribute("aria-busy");
  setTimeout(free, busyMs);
  try {
    const { query } = await post("/dev/tap", { message: message.id, data });
    if (early.delete(query)) free();
    else busy.set(query, free);
  } catch (error) {
    free();
    notSent(error);
  }
}

/** @param {Message} message */
function startReply(message) {
  replyTo = message.id;
  $("reply-name").textContent = botName;
  $("reply-text").textContent = message.text.split("\n")[0] || message.document?.name || "";
  $("replying").hidden = false;
  input.focus();
}

function stopReply() {
  replyTo = null;
  $("replying").hidden = true;
}

function typed() {
  input.style.height = "auto";
  input.style.height = `${input.scrollHeight + 2}px`;
  sendButton.disabled = input.value.trim() === "";
  const asked = input.value.match(/^\/(\w*)$/)?.[1];
  const fitting = asked === undefined ? [] : commands.filter(({ command }) => command.startsWith(asked));
  $("commands").hidden = fitting.length === 0;
  $("commands").replaceChildren(
    ...fitting.map(({ command, description }) => {
      const button = el("button", { type: "button" }, el("strong", {}, `/${command}`), ` ${description}`);
      button.addEventListener("click", () => fill(`/${command}`));
      return button;
    }),
  );
}

/** @param {string} text */
function fill(text) {
  input.value = text;
  typed();
  $("commands").hidden = true;
  input.focus();
  input.setSelectionRange(text.length, text.length);
}

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  void send();
});
input.addEventListener("input", typed);
input.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    void send();
  } else if (event.key === "Escape") stopReply();
});
$("unreply").addEventListener("click", () => {
  stopReply();
  input.focus();
});
$("suggestion").addEventListener("click", () => fill($("suggestion").textContent ?? ""));
$("down").addEventListener("click", () => log.scrollTo({ top: log.scrollHeight, behavior: quickly }));
log.addEventListener("scroll", () => {
  following = atEnd();
  if (following) unseen = 0;
  marks();
});
// A keyboard that slides in, or a taller input, must not hide the latest message.
new ResizeObserver(() => {
  if (following) toEnd();
}).observe(log);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) unheard = 0;
  marks();
});

// What the server tells

const source = new EventSource("/dev/events");
/**
 * @template T
 * @param {string} name
 * @param {(data: T) => void} act
 */
const on = (name, act) => source.addEventListener(name, (event) => act(JSON.parse(event.data)));

source.addEventListener("open", () => {
  connected = true;
  presence();
});
source.addEventListener("error", () => {
  connected = false;
  presence();
});

on("snapshot", (/** @type {Status & { bot: { name: string }, messages: Message[] }} */ snapshot) => {
  botName = snapshot.bot.name;
  $("name").textContent = botName;
  $("avatar").textContent = botName.slice(0, 1).toUpperCase();
  showStatus(snapshot);
  const kept = new Set(snapshot.messages.map(({ id }) => id));
  for (const id of [...messages.keys()].filter((known) => !kept.has(known))) {
    messages.delete(id);
    items.get(id)?.remove();
    items.delete(id);
    for (const separator of list.querySelectorAll(".day")) separator.remove();
  }
  for (const message of snapshot.messages) {
    if (JSON.stringify(messages.get(message.id)) !== JSON.stringify(message)) place(message);
  }
  arrange();
  if (following) toEnd();
  marks();
  log.removeAttribute("aria-busy");
});
on("message", show);
on("status", showStatus);
on("typing", () => {
  typingUntil = Date.now() + typingMs;
  presence();
  setTimeout(presence, typingMs + 50);
});
on("toast", (/** @type {{ query: string, text: string, alert: boolean }} */ { query, text, alert }) => {
  busy.get(query)?.();
  if (!busy.delete(query)) early.add(query);
  if (text !== "") toast(text, alert ? 8000 : undefined);
});

typed();
input.focus();
