/** The command that tests a repository, by what lies in its root. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { textOf } from "./text-of.ts";

const packageSchema = z.object({ scripts: z.object({ test: z.string() }) });

/** The test command of the tree at `root`, or null where it names none. */
export async function detectTest(root: string): Promise<string | null> {
  const text = (name: string) => textOf(join(root, name)).catch(() => "");
  const exists = (name: string) =>
    stat(join(root, name)).then(
      () => true,
      () => false,
    );

  const script = packageSchema.safeParse(parse(await text("package.json"))).data?.scripts.test ?? "";
  // What `npm init` writes when nobody said how to test.
  if (script && !script.includes("no test specified")) return "npm test";
  if (/^test\s*:(?!=)/m.test(await text("Makefile"))) return "make test";
  const python = await Promise.all(["pytest.ini", "tox.ini", "conftest.py", "tests/conftest.py"].map(exists));
  if (python.includes(true) || /\[tool\.pytest|pytest/.test(await text("pyproject.toml"))) {
    // What `detect-setup.ts` puts there, where it may.
    const venv = (await exists("uv.lock")) || (await exists("requirements.txt"));
    return `${venv ? 'PATH="$PWD/.venv/bin:$PATH" ' : ""}python3 -m pytest -q`;
  }
  if (await exists("go.mod")) return "go test ./...";
  if (await exists("Cargo.toml")) return "cargo test";
  return null;
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}
