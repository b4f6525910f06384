/** The repository that the corporation in a box works on: a small shop, with one test that fails for an everyday reason. */
import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

const files: Readonly<Record<string, string>> = {
  "package.json": `{
  "name": "demo-shop",
  "version": "1.0.0",
  "description": "Prices, discounts and shipping of a small shop",
  "private": true,
  "type": "module",
  "scripts": {
    "test": "node --test"
  }
}
`,
  "README.md": `# demo-shop

What a basket costs. Money is whole cents, so nothing is ever rounded twice.

| rule | where |
|---|---|
| 10 % off a line from 10 pieces on | \`src/discount.js\` |
| 5 % off the basket with a valid voucher | \`src/discount.js\` |
| Shipping is 4.90, free from 50.00 on, never for oversized goods | \`src/shipping.js\` |

\`npm test\` needs Node 20 or later and nothing else.
`,
  ".gitignore": "node_modules/\n",
  "src/money.js": `/** Cents to a price tag: 123456 → "1,234.56". */
export function format(cents) {
  const sign = cents < 0 ? "-" : "";
  const whole = Math.floor(Math.abs(cents) / 100);
  const rest = String(Math.abs(cents) % 100).padStart(2, "0");
  return \`\${sign}\${String(whole).replace(/\\B(?=(\\d{3})+$)/g, ",")}.\${rest}\`;
}

/** A share of an amount in whole cents, halves rounded up. */
export function percentOf(cents, percent) {
  return Math.round((cents * percent) / 100);
}
`,
  "src/discount.js": `import { percentOf } from "./money.js";

const bulkQuantity = 10;
const bulkPercent = 10;
const voucherPercent = 5;

/** What a line of equal articles is reduced by: bulk buyers get 10 % from 10 pieces on. */
export function bulkDiscount(unitPrice, quantity) {
  if (quantity > bulkQuantity) {
    return percentOf(unitPrice * quantity, bulkPercent);
  }
  return 0;
}

/** What a voucher takes off a basket; a voucher that has run out takes nothing. */
export function voucherDiscount(total, voucher, today) {
  if (!voucher || voucher.validUntil < today) {
    return 0;
  }
  return percentOf(total, voucherPercent);
}
`,
  "src/shipping.js": `const flatRate = 490;
const freeFrom = 5000;
const oversizeFee = 1500;

/** Shipping for goods worth \`total\`: free from 50.00 on, but oversized goods always pay. */
export function shipping(total, lines) {
  const oversized = lines.filter((line) => line.oversized).length;
  const base = total >= freeFrom ? 0 : flatRate;
  return base + oversized * oversizeFee;
}
`,
  "src/cart.js": `import { bulkDiscount, voucherDiscount } from "./discount.js";
import { shipping } from "./shipping.js";

/** A basket: lines of { article, unitPrice, quantity, oversized? }. */
export function createCart() {
  const lines = [];

  return {
    add(article, unitPrice, quantity = 1, options = {}) {
      const known = lines.find((line) => line.article === article);
      if (known) {
        known.quantity += quantity;
      } else {
        lines.push({ article, unitPrice, quantity, ...options });
      }
    },
    remove(article) {
      const at = lines.findIndex((line) => line.article === article);
      if (at >= 0) lines.splice(at, 1);
    },
    count: () => lines.reduce((sum, line) => sum + line.quantity, 0),
    bill: (today, voucher) => bill(lines, today, voucher),
  };
}

function bill(lines, today, voucher) {
  const goods = lines.reduce((sum, line) => sum + line.unitPrice * line.quantity - bulkDiscount(line.unitPrice, line.quantity), 0);
  const reduced = goods - voucherDiscount(goods, voucher, today);
  const delivery = lines.length === 0 ? 0 : shipping(reduced, lines);
  return { goods, reduced, delivery, total: reduced + delivery };
}
`,
  "test/cart.test.js": `import assert from "node:assert/strict";
import { test } from "node:test";
import { createCart } from "../src/cart.js";
import { format } from "../src/money.js";

test("an empty cart costs nothing", () => {
  assert.equal(createCart().bill("2026-11-01").total, 0);
});

test("the same article twice is one line", () => {
  const cart = createCart();
  cart.add("mug", 900);
  cart.add("mug", 900, 2);
  assert.equal(cart.count(), 3);
});

test("a removed article is not billed", () => {
  const cart = createCart();
  cart.add("mug", 900);
  cart.add("tea", 650, 2);
  cart.remove("mug");
  assert.equal(cart.bill("2026-11-01").goods, 1300);
});

test("a bill adds goods, voucher and shipping", () => {
  const cart = createCart();
  cart.add("mug", 900, 2);
  cart.add("tea", 650, 2);
  const bill = cart.bill("2026-11-01", { validUntil: "2026-12-31" });
  assert.deepEqual(bill, { goods: 3100, reduced: 2945, delivery: 490, total: 3435 });
});

test("prices are shown with two decimals and thousands apart", () => {
  assert.equal(format(123456), "1,234.56");
  assert.equal(format(-5), "-0.05");
});
`,
  "test/discount.test.js": `import assert from "node:assert/strict";
import { test } from "node:test";
import { bulkDiscount, voucherDiscount } from "../src/discount.js";

test("nine pieces get no bulk discount", () => {
  assert.equal(bulkDiscount(900, 9), 0);
});

test("ten pieces get the bulk discount", () => {
  assert.equal(bulkDiscount(900, 10), 900);
});

test("twenty pieces get the bulk discount", () => {
  assert.equal(bulkDiscount(900, 20), 1800);
});

test("a voucher takes five percent off until its last day", () => {
  assert.equal(voucherDiscount(10000, { validUntil: "2026-11-30" }, "2026-11-30"), 500);
  assert.equal(voucherDiscount(10000, { validUntil: "2026-11-30" }, "2026-12-01"), 0);
});
`,
  "test/shipping.test.js": `import assert from "node:assert/strict";
import { test } from "node:test";
import { shipping } from "../src/shipping.js";

test("small orders pay the flat rate", () => {
  assert.equal(shipping(4999, []), 490);
});

test("shipping is free from 50.00 on", () => {
  assert.equal(shipping(5000, []), 0);
});

test("oversized goods always pay", () => {
  assert.equal(shipping(5000, [{ oversized: true }, {}]), 1500);
});
`,
};

const identity = ["-c", "user.name=Demo Shop", "-c", "user.email=demo-shop@example.invalid"];

/**
 * Makes the repository in `dir`, committed on `main`. One that has a commit already is left as it is. Rejects if git is
 * missing or the directory can't be written.
 */
export async function makeDemoShop(dir: string): Promise<void> {
  // The user's own git settings (signing, hooks, templates) have no say here.
  const env = { ...process.env, GIT_DIR: join(dir, ".git"), GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" };
  const git = (...args: string[]) => run("git", args, { cwd: dir, env });
  await mkdir(dir, { recursive: true });
  const made = await git("rev-parse", "--quiet", "--verify", "HEAD").then(
    () => true,
    () => false,
  );
  if (made) return;
  for (const [path, text] of Object.entries(files)) {
    const target = join(dir, path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, text);
  }
  await git("init", "--quiet", "--initial-branch=main", "--template=");
  await git("--work-tree=.", "add", "--all");
  await git(...identity, "commit", "--quiet", "--message=A small shop: cart, discounts, shipping");
}
