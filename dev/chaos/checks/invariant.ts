/** What must hold after a run, whatever happened in it. */
export interface Invariant {
  name: string;
  ok: boolean;
  /** How many things were looked at. None is a failure too: then the check saw nothing. */
  checked: number;
  /** What breaks it, a sentence each. */
  broken: string[];
  /** Figures for whoever reads the result. */
  counts?: Readonly<Record<string, number>>;
}

export function invariant(name: string, checked: number, broken: string[], counts?: Invariant["counts"]): Invariant {
  const seen = checked > 0 ? broken : [...broken, "there was nothing to check"];
  return { name, ok: seen.length === 0, checked, broken: seen, ...(counts && { counts }) };
}
