/**
 * With the owner's own bot token and model key in the environment the box uses those services: here servers that speak
 * their wires, under credentials that only the environment knows. Nothing of the credentials may reach a file.
 */
import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { presets } from "#adapters/llm/presets.ts";
import { type Box, startBox } from "../../dev/box/box.ts";
import { type Model, startModel } from "../../dev/model/server.ts";
import { startTelegram, type TelegramStandIn } from "../../dev/telegram/start.ts";

const botToken = `777000777:${randomBytes(27).toString("base64url").slice(0, 35)}`;
const modelKey = randomBytes(24).toString("base64url");
const owner = 31_415_926;

/** The variables of the owner's model, and what it is asked for by them. */
const ways = [
  {
    wire: "anthropic" as const,
    env: ({ url }: Model, key: string) => ({ ANTHROPIC_API_KEY: key, ANTHROPIC_BASE_URL: url }),
    model: presets.anthropic.model,
  },
  {
    wire: "chat" as const,
    env: (model: Model, key: string) => ({
      LLM_PROVIDER: "openai",
      LLM_WIRE: "chat",
      OPENAI_API_KEY: key,
      OPENAI_BASE_URL: model.urlFor("chat"),
    }),
    model: presets.openai.model,
  },
];

describe.each(ways)("over $wire", (way) => {
  let dir: string;
  let telegram: TelegramStandIn;
  let model: Model;
  let box: Box;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "uac-own-"));
    telegram = await startTelegram({ botToken, webhook: null, owner: { id: owner, name: "Owner" } });
    model = await startModel({ apiKey: modelKey });
    const env = {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      TELEGRAM_BOT_TOKEN: botToken,
      TELEGRAM_OWNER_IDS: String(owner),
      TELEGRAM_API_ROOT: telegram.apiRoot,
      ...way.env(model, modelKey),
    };
    box = await startBox({ dir, env, anyPorts: true, say: () => undefined });
  });

  afterAll(async () => {
    await box?.stop();
    await model?.close();
    await telegram?.close();
    await rm(dir, { recursive: true, force: true });
  });

  it("does the main job over the owner's bot and model, priced as the model that it names", async () => {
    expect(box).toMatchObject({ telegram: null, model: null });
    telegram.say("The tests of the demo shop fail. Fix them.");
    const done = await telegram.waitFor((message) => message.text.startsWith("✅ done:"), 120_000);
    expect(done.text).toContain("verified: the tests failed before and pass now");

    const [task] = await box.store.tasks.list({ limit: 1 });
    const total = await box.store.ledger.total({ task: task?.id ?? "" });
    expect(total).toMatchObject({ unpriced: 0 });
    expect(total.cost).toBeGreaterThan(0);
    expect(new Set(model.requests.map(({ body, wire }) => `${wire} ${body.model}`))).toEqual(new Set([`${way.wire} ${way.model}`]));
  });

  it("leaves neither credential in any file of the box", async () => {
    const files = (await readdir(dir, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    expect(files.length).toBeGreaterThan(10);
    for (const file of files) {
      const content = await readFile(join(file.parentPath, file.name)).catch(() => Buffer.alloc(0));
      for (const secret of [botToken, modelKey]) expect(content.includes(secret), `${file.name} holds a credential`).toBe(false);
    }
  });

  it("opens no door beside headquarters' own: the runtime's explorer would change its state for anybody", async () => {
    const door = await fetch(`${box.hqUrl}/cdn-cgi/explorer/api/`);
    expect(door.status).toBe(404);
  });
});
