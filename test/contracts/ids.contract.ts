/** What every source of ids keeps. */
import { expect, it } from "vitest";
import type { Ids } from "#ports/ids.ts";

export function idsContract(make: () => Ids) {
  it("makes ids of the promised form, each once", () => {
    const ids = make();
    const made = Array.from({ length: 2000 }, () => ids.next("task"));
    expect(new Set(made).size).toBe(2000);
    for (const id of made) expect(id).toMatch(/^task_[0-9a-z]{16}$/);
  });

  it("makes secrets of as many bytes as asked, in base64url, each once", () => {
    const ids = make();
    for (const bytes of [8, 15, 16, 17, 32]) {
      const made = Array.from({ length: 200 }, () => ids.secret(bytes));
      expect(new Set(made).size).toBe(200);
      for (const secret of made) {
        expect(secret).toMatch(/^[A-Za-z0-9_][A-Za-z0-9_-]+$/);
        expect(Buffer.from(secret, "base64url")).toHaveLength(bytes);
      }
    }
  });
}
