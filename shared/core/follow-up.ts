/**
 * What becomes of a finished branch: merged, pushed, proposed as a pull request, or discarded. Each is a task of its own, which the
 * owner is asked about first. Pure.
 */
import * as z from "zod";

export const followDos = ["merge", "push", "pr", "discard"] as const;
export type FollowDo = (typeof followDos)[number];

/** How each is called: on a button, in a title, and once it is done. */
export const followWords: Readonly<Record<FollowDo, { label: string; verb: string; done: string }>> = {
  merge: { label: "Merge", verb: "Merge", done: "merged" },
  push: { label: "Push", verb: "Push", done: "pushed" },
  pr: { label: "Open PR", verb: "Open a pull request for", done: "proposed" },
  discard: { label: "Discard", verb: "Discard", done: "discarded" },
};

/** SHA-1 or SHA-256, as git writes it. */
const commitId = z.string().regex(/^([0-9a-f]{40}|[0-9a-f]{64})$/);
/** Of attempts alone, as `branchOf` names them: no follow-up can name another branch. */
const attemptBranch = z.string().regex(/^uac\/[A-Za-z0-9_-]{4,64}-[1-9][0-9]{0,9}$/);
/** A branch of the owner's; git has the last word on it (`check-ref-format`). */
const branchName = z.string().regex(/^(?!-)[\p{L}\p{N}._\-/+@#]{1,200}$/u);
/** Where the remote is, as the owner is shown it: printable, and without a credential. */
const shownUrl = z.string().regex(/^[\x21-\x7e]{1,500}$/);

/** What can become of a branch that an attempt left, as its factory saw it. Stands in the receipt. */
export const prospectsSchema = z.strictObject({
  /** The branch that the checkout was on when the work began; null: none, or it holds the base no more. */
  into: branchName.nullable(),
  remote: shownUrl.nullable(),
  can: z.array(z.enum(followDos)).max(followDos.length),
});
export type Prospects = z.infer<typeof prospectsSchema>;

/** What the owner is shown, and approves: nothing of it may be another when it is done. */
export interface Plan {
  do: FollowDo;
  factory: string;
  workspace: string;
  branch: string;
  head: string;
  /** For `merge` and `pr`. */
  into: string | null;
  /** For `push` and `pr`. */
  remote: string | null;
  /** What a pull request says; null for the others. */
  says: { title: string; body: string } | null;
}

/** The part of an order that makes it a follow-up. */
export const followSchema = z.strictObject({
  do: z.enum(followDos),
  /** The task whose branch it is, and the attempt. */
  of: z.string().regex(/^[A-Za-z0-9_-]{4,64}$/),
  epoch: z.int().positive(),
  branch: attemptBranch,
  head: commitId,
  into: branchName.nullable(),
  remote: shownUrl.nullable(),
  says: z.strictObject({ title: z.string().min(1).max(200), body: z.string().max(6000) }).nullable(),
  /** SHA-256 of the plan that the owner approved, hex. */
  approved: z.string().regex(/^[0-9a-f]{64}$/),
});
export type Follow = z.infer<typeof followSchema>;

/** What a follow-up came to, as it was observed. Stands in its receipt. */
export const followedSchema = z.strictObject({
  do: z.enum(followDos),
  /** Whether it was so before: done by an earlier attempt, or by hand. */
  already: z.boolean(),
  /** The branch that was moved, made or deleted. */
  ref: z.string().max(300),
  /** Where that branch is now; null: it is gone. */
  head: commitId.nullable(),
  /** What the remote answered, without credentials. */
  answer: z.string().max(2000),
  /** Of the pull request. */
  url: shownUrl.nullable(),
});
export type Followed = z.infer<typeof followedSchema>;

/** The bytes whose SHA-256 binds an approval: the same plan always gives the same, another never. */
export function planText(plan: Plan): string {
  const { do: deed, factory, workspace, branch, head, into, remote, says } = plan;
  return JSON.stringify([deed, factory, workspace, branch, head, into, remote, says && [says.title, says.body]]);
}
