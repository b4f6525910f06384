/** What no namespace keeps apart: system calls that a sandboxed command may not make. Seen from a process with a key ring of its own. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { bubblewrap } from "../../branch-agent/sandbox/bubblewrap.ts";
import { systemCallFilter } from "../../branch-agent/sandbox/system-calls.ts";

const worktree = realpathSync(mkdtempSync(join(tmpdir(), "calls-test-")));
afterAll(() => rmSync(worktree, { recursive: true, force: true }));

const [addKey, keyctl] = process.arch === "arm64" ? [217, 219] : [248, 250];
const session = -3;
const canary = `canary-${process.pid}-${Date.now()}`;

/** Perl hands constants over read-only, which a system call refuses. */
const named = '($type, $name) = ("user", "owners");';
/** Perl that looks for the key in its session, and tells what it holds. */
const look = `${named} $k = syscall(${keyctl}, 10, ${session}, $type, $name, 0); $b = "." x 200; syscall(${keyctl}, 11, $k, $b, 200); print "key: $b\\n";`;

it("no command reads the keys of the session that the factory was started in", () => {
  const script = `import { bubblewrap } from "./branch-agent/sandbox/bubblewrap.ts";
    const sandbox = bubblewrap();
    const scope = { worktree: "${worktree}", readOnly: [], masked: [], network: [] };
    const command = { command: 'perl -e ' + ${JSON.stringify(`'${look}'`)}, cwd: "${worktree}", timeoutMs: 20000, env: {}, maxOutput: 5000 };
    console.log((await sandbox.run(scope, command)).output);
    await sandbox.leave("${worktree}");`;
  const begin = `${named} syscall(${keyctl}, 1, 0); syscall(${addKey}, $type, $name, $ARGV[0], length($ARGV[0]), ${session}); shift;`;
  const inSession = (...words: string[]) => execFileSync("perl", ["-e", `${begin} exec @ARGV`, canary, ...words], { encoding: "utf8" });
  expect(inSession("perl", "-e", look)).toContain(`key: ${canary}`);
  expect(inSession(process.execPath, "--input-type=module", "-e", script)).toMatch(/^key: \.+\n/);
});

it("no socket leads to the machine below, past the network's namespace", async () => {
  const families = { unix: 1, inet: 2, inet6: 10, netlink: 16, alg: 38, vsock: 40 };
  const opens = Object.entries(families).map(([name, family]) => `print "${name} " if socket(S, ${family}, ${family === 16 ? 3 : 1}, 0);`);
  const sandbox = bubblewrap();
  const scope = { worktree, readOnly: [], masked: [], network: [] };
  const io = "print syscall(425, 8, $b) < 0 ? '' : 'io_uring'";
  const command = `perl -e '${opens.join(" ")} $b = "\\0" x 200; ${io.replaceAll("'", '"')}'`;
  const run = await sandbox.run(scope, { command, cwd: worktree, timeoutMs: 20_000, env: {}, maxOutput: 5000 });
  await sandbox.leave(worktree);
  expect(run).toMatchObject({ exitCode: 0, output: "unix inet inet6 netlink " });
});

it("on a machine whose calls nobody looked up there is no sandbox", () => {
  expect(() => systemCallFilter("s390x")).toThrow(/No sandbox: which system calls to refuse is not known for s390x/);
});
