/** A patch as text with coloured lines, bounded: the page stays small, the whole is a download. */
import { Printed } from "./figures.tsx";
import { many, plain } from "./text.ts";

const linesShown = 800;
const columnsShown = 400;
const filesOpen = 12;

type LineKind = "add" | "del" | "hunk" | "same";
interface Run {
  kind: LineKind;
  lines: string[];
}
export interface FilePatch {
  path: string;
  added: number;
  removed: number;
  /** Neighbouring lines of one kind together. */
  runs: Run[];
}

/** A git patch by file. The lines before a file's first `@@` are its header and only give the path. */
export function filesOf(patch: string): FilePatch[] {
  const files: FilePatch[] = [];
  let inHunk = false;
  for (const line of patch.replace(/\n$/, "").split("\n")) {
    const named = /^diff --git a\/.* b\/(.*)$/.exec(line);
    if (named && !(inHunk && /^[ +-]/.test(line))) {
      files.push({ path: named[1] ?? "", added: 0, removed: 0, runs: [] });
      inHunk = false;
      continue;
    }
    let file = files.at(-1);
    if (!file) {
      file = { path: "patch", added: 0, removed: 0, runs: [] };
      files.push(file);
    }
    if (line.startsWith("@@")) inHunk = true;
    else if (!inHunk) {
      if (/^(new file|deleted file|rename|Binary|old mode|new mode)/.test(line)) push(file, "hunk", line);
      continue;
    }
    const kind = kindOf(line);
    if (kind === "add") file.added++;
    if (kind === "del") file.removed++;
    push(file, kind, line);
  }
  return files;
}

function kindOf(line: string): LineKind {
  if (line.startsWith("@@")) return "hunk";
  if (line.startsWith("+")) return "add";
  return line.startsWith("-") ? "del" : "same";
}

function push(file: FilePatch, kind: LineKind, line: string) {
  const last = file.runs.at(-1);
  if (last?.kind === kind) last.lines.push(line);
  else file.runs.push({ kind, lines: [line] });
}

/** The first files and lines; how many lines were left out. */
function bounded(files: readonly FilePatch[]): { shown: FilePatch[]; left: number } {
  let room = linesShown;
  let left = 0;
  const shown: FilePatch[] = [];
  for (const file of files) {
    const runs: Run[] = [];
    for (const run of file.runs) {
      const lines = run.lines.slice(0, room);
      room -= lines.length;
      left += run.lines.length - lines.length;
      if (lines.length > 0) runs.push({ kind: run.kind, lines });
    }
    if (runs.length > 0 || file.runs.length === 0) shown.push({ ...file, runs });
  }
  return { shown, left };
}

export function Diff({ patch, task }: { patch: string; task: string }) {
  const files = filesOf(patch);
  const { shown, left } = bounded(files);
  return (
    <section aria-labelledby="diff">
      <h2 id="diff">
        Diff <span class="aside">{many(files.length, "file")}</span>
      </h2>
      {shown.map((file, i) => (
        <details id={`d-${i}`} class="diff" open={i < filesOpen}>
          <summary>
            <code>{plain(file.path)}</code> <span class="plus">+{file.added}</span> <span class="minus">−{file.removed}</span>
          </summary>
          <Printed label={`Changes in ${plain(file.path)}`}>
            {file.runs.map((run) => (
              <span class={run.kind}>{`${run.lines.map(shortened).join("\n")}\n`}</span>
            ))}
          </Printed>
        </details>
      ))}
      <p>
        {left > 0 && `${many(left, "more line")} not shown. `}
        <a class="button" href={`/tasks/${encodeURIComponent(task)}/diff`} download={`${task}.diff`}>
          Download {task}.diff
        </a>
      </p>
    </section>
  );
}

function shortened(line: string): string {
  return plain(line.length > columnsShown ? `${line.slice(0, columnsShown)} … (${line.length - columnsShown} more characters)` : line);
}
