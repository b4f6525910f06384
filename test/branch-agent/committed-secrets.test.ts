/** What a repository has committed of credentials is kept from the model, though it may read the history; ordinary words are not. */
import { expect, it } from "vitest";
import { knownValues } from "#adapters/redactor/known-values.ts";
import { bubblewrap } from "../../branch-agent/sandbox/bubblewrap.ts";
import { coderHands } from "../../branch-agent/tools/coder-hands.ts";
import { hidingCommitted } from "../../branch-agent/tools/committed-secrets.ts";
import { dir, eachInARepository, git, put, repo, workspaces } from "./repository.ts";

eachInARepository();

const canary = `c4nary-${process.pid}-${Date.now()}`;
const key = `-----BEGIN ${"PRIVATE"} KEY-----\n${Buffer.from(canary.repeat(3)).toString("base64")}\n-----END ${"PRIVATE"} KEY-----\n`;

async function hands(opened: readonly string[]) {
  put(repo, {
    ".env": `# settings\nexport API_KEY="${canary}-1"\nNODE_ENV=development\nSECRET_MODE=development\nDATABASE=postgres://me:${canary}-2@db.example/x\n`,
    ".npmrc": `//registry.example/:_authToken=${canary}-3\n`,
    "server.pem": key,
    "src/mode.ts": 'export const mode = "development";\n',
  });
  git("add", "-Af");
  git("commit", "-qm", "with secrets");
  const worktree = await workspaces().open("demo", "t", 1);
  const scope = { worktree: worktree.path, readOnly: [worktree.gitDir], masked: [], opened, network: [] };
  const redact = hidingCommitted(scope, (text) => text.replaceAll("factory's", "[FACTORY]"), knownValues());
  const more = { seesImages: false, logDir: `${dir}/logs`, ran: async () => {} };
  const { tools } = coderHands({ ...more, names: ["bash"], worktree, sandbox: bubblewrap(), scope, allowed: ["exec"], redact });
  return async (command: string) => {
    const [bash] = tools;
    const call = { key: "k", signal: new AbortController().signal, stillShown: () => false };
    return (await bash?.run(bash.input.parse({ command }), call))?.content ?? "";
  };
}

it("in whatever way git tells it", async () => {
  const bash = await hands([]);
  const shown = await bash(
    "git show HEAD; git show HEAD:.env | base64 -w0; echo; git grep -h '' HEAD; git show HEAD:.npmrc | xxd -p; echo \"factory's\"",
  );
  expect(shown).not.toContain(canary);
  expect(shown).not.toContain(key.split("\n")[1]);
  expect(Buffer.from(shown.match(/^[A-Za-z0-9+/=]{40,}$/m)?.[0] ?? "", "base64").toString()).not.toContain(canary);
  expect(shown).toContain('+export API_KEY="[.env API_KEY]"');
  expect(shown).toContain("_authToken=[.npmrc _authToken]");
  expect(shown).toContain("NODE_ENV=development");
  expect(shown).toContain('mode = "development"');
  expect(shown).toContain("[FACTORY]");
});

it("but for the files that the owner opened", async () => {
  const bash = await hands([".env"]);
  const shown = await bash("git show HEAD:.env HEAD:.npmrc");
  expect(shown).toContain(`${canary}-1`);
  expect(shown).not.toContain(`${canary}-3`);
});
