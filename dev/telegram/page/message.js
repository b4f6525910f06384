/** One message to one list item. What anybody wrote becomes text nodes, never markup. */

/** @typedef {import("../owner.ts").ChatMessage} Message */
/** @typedef {Message["entities"][number]} Entity */
/**
 * @typedef {object} Context
 * @property {string} botName
 * @property {(message: Message, data: string, button: HTMLElement) => void} onTap
 * @property {(message: Message) => void} onReply
 * @property {(id: number) => void} onQuote
 */

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
/** Documents up to this many bytes are shown in place. */
const shownBytes = 200_000;

const icons = {
  silent: "M6 8a6 6 0 0 1 10-4.5M18 9v5l2 3H8M4 17l1.5-2M10 20a2 2 0 0 0 4 0M3 3l18 18",
  loud: "M6 9a6 6 0 0 1 12 0v5l2 3H4l2-3zM10 20a2 2 0 0 0 4 0",
  sent: "m5 13 4 4L19 7",
  waiting: "M12 7v5l3 2M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0z",
  reply: "M10 8 5 13l5 5M5 13h9a5 5 0 0 1 5 5v1",
  eyes: "M7 5c2.2 0 4 3.1 4 7s-1.8 7-4 7-4-3.1-4-7 1.8-7 4-7zm10 0c2.2 0 4 3.1 4 7s-1.8 7-4 7-4-3.1-4-7 1.8-7 4-7zM8.5 11v3m10-3v3",
  file: "M7 3h7l5 5v13H7zM14 3v5h5",
  link: "M8 16 17 7M10 7h7v7",
};

/**
 * An element with attributes and children; null children are left out.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, string>} [attributes]
 * @param {...(Node | string | null)} children
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** @param {keyof typeof icons} name */
function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", icons[name]);
  svg.append(path);
  return svg;
}

/** @param {string} text */
const hushed = (text) => el("span", { class: "hush" }, text);

/**
 * The list item of a message.
 * @param {Message} message
 * @param {Context} context
 */
export function renderMessage(message, context) {
  const mine = message.from === "owner";
  const bubble = el(
    "div",
    { class: "bubble" },
    hushed(mine ? "You: " : `${context.botName}: `),
    message.replyTo ? quote(message.replyTo, context) : null,
    message.document ? documentCard(message.document) : null,
    message.text === "" ? null : textOf(message),
    meta(message, mine),
  );
  const item = el("li", { class: `message ${mine ? "mine" : "theirs"}`, "data-id": String(message.id) });
  const row = el("div", { class: "row" }, bubble);
  if (!mine) {
    const reply = el("button", { type: "button", class: "plain reply", "aria-label": `Reply to message ${message.id}` }, icon("reply"));
    reply.addEventListener("click", () => context.onReply(message));
    row.append(reply);
    bubble.addEventListener("click", (event) => {
      if (meantForBubble(event)) context.onReply(message);
    });
  }
  item.append(row);
  if (message.buttons.length > 0) item.append(keyboard(message, context));
  if (message.reactions.length > 0) {
    const said = `${mine ? context.botName : "You"} reacted with `;
    item.append(el("p", { class: "reactions" }, hushed(said), ...message.reactions.map(reaction)));
  }
  return item;
}

/**
 * The eyes, by which a bot shows that it has read, are drawn: small Linux machines have no emoji font.
 * @param {string} emoji
 */
function reaction(emoji) {
  return emoji === "👀" ? el("span", { class: "eyes" }, icon("eyes"), hushed(emoji)) : el("span", {}, emoji);
}

/**
 * On a touch screen a tap on a bubble replies to it, unless it was meant for something inside or selects text.
 * @param {MouseEvent} event
 */
function meantForBubble(event) {
  const inside = event.target instanceof Element && event.target.closest("a, button, summary, pre");
  return matchMedia("(pointer: coarse)").matches && !inside && String(getSelection()) === "";
}

/**
 * @param {NonNullable<Message["replyTo"]>} original
 * @param {Context} context
 */
function quote({ id, from, text }, { botName, onQuote }) {
  const button = el(
    "button",
    { type: "button", class: "quote" },
    el("span", { class: "to" }, from === "owner" ? "You" : botName),
    el("span", { class: "of" }, text.split("\n")[0] ?? ""),
  );
  button.addEventListener("click", () => onQuote(id));
  return button;
}

/**
 * @param {Message} message
 * @param {boolean} mine
 */
function meta(message, mine) {
  const at = new Date(message.at);
  const edited = message.editedAt === null ? null : el("span", { title: new Date(message.editedAt).toLocaleString() }, "edited");
  const time = el("time", { datetime: at.toISOString(), title: at.toLocaleString() }, clock.format(at));
  if (mine) {
    const state = message.delivered ? mark("sent", "Delivered") : mark("waiting", "Waits to be delivered");
    return el("span", { class: "meta" }, edited, time, state);
  }
  const sound = message.silent ? mark("silent", "Sent without sound") : mark("loud", "Sent with sound");
  return el("span", { class: "meta" }, edited, sound, time);
}

/**
 * @param {keyof typeof icons} name
 * @param {string} title
 */
function mark(name, title) {
  return el("span", { class: "mark", title }, icon(name), hushed(title));
}

/**
 * @param {Message} message
 * @param {Context} context
 */
function keyboard(message, { onTap }) {
  const rows = message.buttons.map((row) =>
    el(
      "div",
      { class: "keys" },
      ...row.map(({ text, data = "", url }) => {
        if (url !== undefined) return link(url, { class: "key" }, text, icon("link"));
        const button = el("button", { type: "button", class: "key" }, text);
        button.addEventListener("click", () => onTap(message, data, button));
        return button;
      }),
    ),
  );
  return el("div", { class: "keyboard" }, ...rows);
}

/**
 * A link that opens beside the chat; plain text where the address is none that a chat should open.
 * @param {string} url
 * @param {Record<string, string>} attributes
 * @param {...(Node | string)} children
 * @returns {HTMLElement}
 */
function link(url, attributes, ...children) {
  const href = URL.canParse(url) ? new URL(url) : null;
  if (!href || !["http:", "https:", "tg:", "mailto:"].includes(href.protocol)) return el("span", attributes, ...children);
  return el("a", { ...attributes, href: href.href, target: "_blank", rel: "noopener noreferrer" }, ...children);
}

/** @param {Message} message */
function textOf({ text, entities }) {
  const parent = el("div", { class: "text" });
  appendMarked(parent, text, entities, 0, text.length);
  return parent;
}

/**
 * Appends `text` from `from` to `to` with its entities, which are sorted; one that overlaps another's end is left out.
 * @param {HTMLElement} parent
 * @param {string} text
 * @param {readonly Entity[]} entities
 * @param {number} from
 * @param {number} to
 */
function appendMarked(parent, text, entities, from, to) {
  let at = from;
  entities.forEach((entity, index) => {
    const end = entity.offset + entity.length;
    if (entity.offset < at || end > to) return;
    parent.append(text.slice(at, entity.offset));
    const marked = elementOf(entity, text.slice(entity.offset, end));
    appendMarked(marked, text, entities.slice(index + 1), entity.offset, end);
    parent.append(marked);
    // A block ends its line by itself.
    const breaks = ["PRE", "BLOCKQUOTE"].includes(marked.tagName) && text[end] === "\n" && end < to;
    at = breaks ? end + 1 : end;
  });
  parent.append(text.slice(at, to));
}

/**
 * @param {Entity} entity
 * @param {string} text
 * @returns {HTMLElement}
 */
function elementOf(entity, text) {
  switch (entity.type) {
    case "bold":
      return el("strong");
    case "italic":
      return el("em");
    case "underline":
      return el("u");
    case "strikethrough":
      return el("s");
    case "code":
      return el("code");
    case "pre":
      return el("pre");
    case "blockquote":
    case "expandable_blockquote":
      return el("blockquote");
    case "text_link":
      return link(entity.url, {});
    case "url":
      return link(text, {});
    default:
      return el("span");
  }
}

/** @param {NonNullable<Message["document"]>} document */
function documentCard({ name, type, size, url }) {
  const names = el(
    "span",
    { class: "names" },
    el("span", { class: "name" }, name),
    el("span", { class: "size" }, `${sizeOf(size)} · download`),
  );
  const file = el("a", { class: "file", href: url, download: name }, el("span", { class: "sheet" }, icon("file")), names);
  const shown = size <= shownBytes && type.startsWith("text/");
  return el("div", { class: "document" }, file, shown ? preview(name, url, type === "text/x-diff") : null);
}

/**
 * A disclosure with what is in the document; a diff also says how much it adds and removes.
 * @param {string} name
 * @param {string} url
 * @param {boolean} isDiff
 */
function preview(name, url, isDiff) {
  const summary = el("summary", {}, isDiff ? "Show changes" : "Show text");
  const body = el("pre", { class: isDiff ? "diff" : "", tabindex: "0", role: "region", "aria-label": `Contents of ${name}` });
  fetch(url)
    .then((response) => (response.ok ? response.text() : Promise.reject(new Error(String(response.status)))))
    .then((text) => {
      if (!isDiff) return body.append(text);
      const lines = text
        .replace(/\n$/, "")
        .split("\n")
        .map((line) => ({ line, kind: kindOf(line) }));
      body.append(...lines.map(({ line, kind }) => el("span", { class: kind }, line === "" ? " " : line)));
      const added = lines.filter(({ kind }) => kind === "add").length;
      const removed = lines.filter(({ kind }) => kind === "remove").length;
      summary.append(el("span", { class: "plus" }, `+${added}`), el("span", { class: "minus" }, `−${removed}`));
    })
    .catch(() => body.append("It could not be read. The download above may work."));
  return el("details", {}, summary, body);
}

/** @param {string} line */
function kindOf(line) {
  if (/^(diff |index |--- |\+\+\+ |new file|deleted file|rename |similarity |old mode|new mode)/.test(line)) return "head";
  if (line.startsWith("@@")) return "hunk";
  return line.startsWith("+") ? "add" : line.startsWith("-") ? "remove" : "same";
}

/** @param {number} bytes */
function sizeOf(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1024 * 1024 ? `${(bytes / 1024).toFixed(1)} KB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}
