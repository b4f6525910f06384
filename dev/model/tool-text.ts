/** What tools of headquarters answer, read tolerantly: as JSON, or as lines that a person could read. */

export interface FleetView {
  factories: string[];
  workspaces: string[];
}

/** Names under `workspaces`, wherever they stand. */
export function readFleet(text: string): FleetView {
  const data = parse(text);
  if (data !== undefined) return fleetFromJson(data);
  const workspaces = [...text.matchAll(/\bworkspaces?\b\s*[:=]?\s*([^\n;()]*)/gi)].flatMap((match) => names(match[1] ?? ""));
  const lines = text.matchAll(/^\W*(\w[^\n(:]*?)\s*(?:\(([\w-]+)\))?:.*\b(?:online|stale|offline|draining|pending)\b/gim);
  const factories = [...lines].flatMap(([, name, id]) => [name, id].filter((part) => part !== undefined));
  return { factories: [...new Set(factories)], workspaces: [...new Set(workspaces)] };
}

const noNames = new Set(["none", "no", "and", "are", "is", "nothing", "any", "null"]);

function names(list: string): string[] {
  return list
    .split(/,|\band\b|\s\|\s/)
    .map((part) => part.trim().replace(/^["'`[]+|["'`\].]+$/g, ""))
    .map((part) => part.split(/\s/)[0] ?? "")
    .filter((name) => /^[\w][\w.@/-]*$/.test(name) && !noNames.has(name.toLowerCase()));
}

function fleetFromJson(data: unknown): FleetView {
  const view: FleetView = { factories: [], workspaces: [] };
  walk(data, (object) => {
    const { workspaces } = object;
    if (!Array.isArray(workspaces)) return;
    for (const entry of workspaces) {
      const name = typeof entry === "object" && entry !== null ? (entry as { name?: unknown }).name : entry;
      if (typeof name === "string" && !view.workspaces.includes(name)) view.workspaces.push(name);
    }
    for (const key of ["name", "id"]) {
      const name = object[key];
      if (typeof name === "string" && !view.factories.includes(name)) view.factories.push(name);
    }
  });
  return view;
}

export interface TaskView {
  id: string;
  ended: boolean;
}

const states =
  /\b(?:(queued|waiting|held|dispatched|running|awaiting_approval|paused)|succeeded|failed|cancelled|canceled|expired|dead|done|finished)\b/i;

/** An id of a task in running text: a word with a digit and a dash or an underscore. */
export function taskIdIn(text: string): string | null {
  return text.match(/\b(?=[\w-]*\d)[a-z]+\d*[-_][0-9a-z]{4,}\b/i)?.[0] ?? null;
}

/** Tasks in the order in which the text names them: the newest first, as lists of tasks are. */
export function readTasks(text: string): TaskView[] {
  const data = parse(text);
  if (data === undefined) {
    return text.split("\n").flatMap((line) => {
      const id = line.match(/^\W*(\w[\w-]*)/)?.[1];
      // The first state on a line is the task's; a later one is a word of its title.
      const state = line.match(states);
      return id && state ? [{ id, ended: state[1] === undefined }] : [];
    });
  }
  const tasks: (TaskView & { at: number })[] = [];
  walk(data, (object) => {
    const { id, state, createdAt } = object;
    if (typeof id === "string" && typeof state === "string")
      tasks.push({ id, ended: !states.exec(state)?.[1], at: Number(createdAt) || 0 });
  });
  return tasks.sort((a, b) => b.at - a.at);
}

function parse(text: string): unknown {
  try {
    const data: unknown = JSON.parse(text);
    return typeof data === "object" && data !== null ? data : undefined;
  } catch {
    return undefined;
  }
}

function walk(value: unknown, visit: (object: Record<string, unknown>) => void): void {
  if (typeof value !== "object" || value === null) return;
  if (!Array.isArray(value)) visit(value as Record<string, unknown>);
  for (const inner of Object.values(value)) walk(inner, visit);
}
