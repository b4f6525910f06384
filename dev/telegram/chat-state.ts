/**
 * The one chat: its messages, files and updates. With a state file every change is appended there before anything else
 * sees it, so a second start shows the same chat, and no update id or message id is given twice even after kill -9.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { BotCommand, Message, Update } from "grammy/types";

/** As many messages as are remembered, unless told otherwise. */
const messagesKept = 1000;
/** Documents beyond this many bytes together lose the oldest contents. */
const fileBytesKept = 64 * 1024 * 1024;

export interface StoredMessage {
  /** Exactly what the Bot API shows of it. */
  message: Message;
  from: "owner" | "bot";
  /** Milliseconds since 1970: when it was written, and last edited. */
  at: number;
  editedAt: number | null;
  silent: boolean;
  reactions: string[];
  /** Of the owner's messages: the webhook took it. */
  delivered: boolean;
}

export interface StoredFile {
  id: string;
  name: string;
  type: string;
  /** Below `/file/bot<token>/`. */
  path: string;
  data: Uint8Array;
}

export interface PendingUpdate {
  update: Update;
  at: number;
  /** The owner's message that it carries. */
  message: number | null;
}

export type Change =
  | { message: StoredMessage }
  | { typing: true }
  | { toast: { query: string; text: string; alert: boolean } }
  | { status: true };

type Line =
  | { message: StoredMessage }
  | { file: Omit<StoredFile, "data"> & { data: string } }
  | { update: PendingUpdate }
  | { done: number }
  | { commands: BotCommand[] }
  | { next: { message: number; update: number } };

export type ChatState = ReturnType<typeof openChat>;

/** Opens the chat, from `stateFile` if there is one. Update ids start at `firstUpdate`, message ids at 1. */
export function openChat(stateFile: string | undefined, firstUpdate: number, kept = messagesKept) {
  const messages = new Map<number, StoredMessage>();
  const files = new Map<string, StoredFile>();
  const pending: PendingUpdate[] = [];
  const listeners = new Set<(change: Change) => void>();
  let commands: BotCommand[] = [];
  let next = { message: 1, update: firstUpdate };
  let fileBytes = 0;

  const apply = (line: Line) => {
    if ("message" in line) {
      const { message_id: id } = line.message.message;
      messages.set(id, line.message);
      next.message = Math.max(next.message, id + 1);
      if (messages.size > kept) messages.delete([...messages.keys()][0] as number);
    } else if ("file" in line) {
      files.set(line.file.id, { ...line.file, data: Buffer.from(line.file.data, "base64") });
      fileBytes += files.get(line.file.id)?.data.length ?? 0;
      for (const [id, { data }] of files) {
        if (fileBytes <= fileBytesKept) break;
        files.delete(id);
        fileBytes -= data.length;
      }
    } else if ("update" in line) {
      pending.push(line.update);
      next.update = Math.max(next.update, line.update.update.update_id + 1);
    } else if ("done" in line) {
      pending.splice(0, pending.length, ...pending.filter(({ update }) => update.update_id !== line.done));
    } else if ("commands" in line) {
      commands = line.commands;
    } else {
      next = line.next;
    }
  };

  const asLines = (): Line[] => [
    ...[...files.values()].map((file) => ({ file: { ...file, data: Buffer.from(file.data).toString("base64") } })),
    ...[...messages.values()].map((message) => ({ message })),
    ...pending.map((update) => ({ update })),
    { commands },
    { next },
  ];

  if (stateFile !== undefined) {
    if (existsSync(stateFile)) for (const line of readLines(stateFile)) apply(line);
    mkdirSync(dirname(stateFile), { recursive: true });
    writeFileSync(
      `${stateFile}.new`,
      asLines()
        .map((line) => `${JSON.stringify(line)}\n`)
        .join(""),
    );
    renameSync(`${stateFile}.new`, stateFile);
  }

  const record = (line: Line) => {
    if (stateFile !== undefined) appendFileSync(stateFile, `${JSON.stringify(line)}\n`);
    apply(line);
  };
  const announce = (change: Change) => {
    for (const listener of listeners) listener(change);
  };

  return {
    messages: (): StoredMessage[] => [...messages.values()],
    message: (id: number) => messages.get(id) ?? null,
    file: (id: string) => files.get(id) ?? null,
    fileAt: (path: string) => [...files.values()].find((file) => file.path === path) ?? null,
    pending: (): readonly PendingUpdate[] => pending,
    commands: () => commands,
    nextMessageId: () => next.message,

    /** Keeps a new message, or a new version of one. */
    put(message: StoredMessage) {
      record({ message });
      announce({ message });
    },
    putFile(file: StoredFile) {
      record({ file: { ...file, data: Buffer.from(file.data).toString("base64") } });
    },
    /** Queues an update for the webhook under the next id. */
    addUpdate(content: Omit<Update, "update_id">, message: number | null, at: number): Update {
      const update = { update_id: next.update, ...content };
      record({ update: { update, at, message } });
      return update;
    },
    /** The update is over: the webhook took it, or it was dropped. */
    endUpdate(id: number, delivered: boolean) {
      const message = pending.find(({ update }) => update.update_id === id)?.message ?? null;
      record({ done: id });
      const sent = message === null ? undefined : messages.get(message);
      if (delivered && sent) {
        record({ message: { ...sent, delivered: true } });
        announce({ message: { ...sent, delivered: true } });
      }
    },
    setCommands(list: BotCommand[]) {
      record({ commands: list });
      announce({ status: true });
    },
    announce,
    /** Calls `listener` with every change; the result ends that. */
    watch(listener: (change: Change) => void): () => void {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** The lines of a state file. A last line that a kill cut short is left out. */
function readLines(path: string): Line[] {
  const lines = readFileSync(path, "utf8").split("\n");
  return lines.flatMap((line, index) => {
    try {
      return line === "" ? [] : [JSON.parse(line) as Line];
    } catch (cause) {
      if (index >= lines.length - 1) return [];
      throw new Error(`${path}:${index + 1} is no line of a chat: delete the file to begin a new chat`, { cause });
    }
  });
}
