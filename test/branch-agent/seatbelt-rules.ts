/**
 * Reads a Seatbelt profile as the kernel does, as far as files, networks and services go: of the rules that match, the last one decides; a
 * rule that names an operation goes before those for all of its kind. What no rule matches is as `default` says.
 */
type Term = string | readonly Term[];

export interface Question {
  /** Of a file. */
  path?: string;
  directory?: boolean;
  /** `localhost:80`, or an address of another machine. */
  remote?: string;
  /** A Mach service. */
  service?: string;
}

export function openProfile(text: string) {
  const rules = parse(text).filter((term) => Array.isArray(term) && (term[0] === "allow" || term[0] === "deny")) as Term[][];

  return function may(operation: string, question: Question = {}): boolean {
    const kind = `${operation.split("-").slice(0, 2).join("-")}*`;
    for (const named of [[operation], [kind, "file*", "network*"], ["default"]]) {
      const decided = rules.findLast((rule) => {
        const operations = rule.slice(1).filter((term) => typeof term === "string");
        const mine = named.filter((name) => !name.endsWith("*") || operation.startsWith(name.slice(0, -1)));
        return operations.some((name) => mine.includes(name)) && matches(rule, question);
      });
      if (decided) return decided[0] === "allow";
    }
    throw new Error("the profile has no default");
  };
}

function matches(rule: readonly Term[], question: Question): boolean {
  const filters = rule.slice(1).filter((term): term is readonly Term[] => Array.isArray(term) && term[0] !== "with");
  return filters.length === 0 || filters.some((filter) => holds(filter, question));
}

function holds([name, ...values]: readonly Term[], question: Question): boolean {
  const { path, directory = false, remote, service } = question;
  const [first] = values;
  switch (name) {
    case "require-all":
      return values.every((each) => holds(each as Term[], question));
    case "require-not":
      return !holds(first as Term[], question);
    case "literal":
      return path === first;
    case "subpath":
      return path !== undefined && (first === "/" || path === first || path.startsWith(`${first}/`));
    case "regex":
      return path !== undefined && new RegExp(String(first)).test(path);
    case "vnode-type":
      return first === "DIRECTORY" && directory;
    case "remote": {
      const [kind, address] = values;
      return kind === "ip" && remote !== undefined && address === remote;
    }
    case "global-name":
      return service === first;
    default:
      return false;
  }
}

function parse(text: string): Term[] {
  const words = text.matchAll(/;[^\n]*|[()]|#?"((?:[^"\\]|\\.)*)"|[^\s()";]+/g);
  const open: Term[][] = [[]];
  for (const [word, inner] of words) {
    if (word.startsWith(";")) continue;
    if (word === "(") open.push([]);
    else if (word === ")") {
      const done = open.pop() ?? [];
      open.at(-1)?.push(done);
    } else open.at(-1)?.push(inner === undefined ? word : word.startsWith("#") ? inner : (JSON.parse(word) as string));
  }
  if (open.length !== 1) throw new Error("the profile's brackets do not match");
  return open[0] ?? [];
}
