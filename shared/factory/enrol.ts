/** A desktop joins: a one-time code, a key of its own, and a fingerprint that the owner compares. HQ's side. */

import { UacError } from "#core/errors.ts";
import type { EnrolReply, EnrolRequest } from "#core/hq-api.ts";
import { byline } from "#core/persona.ts";
import { bold, code, italic, rich } from "#core/rich-text.ts";
import type { Role } from "#core/role.ts";
import type { Factory } from "#ports/factories.ts";
import { busAccess, expel, readmit } from "./admit.ts";
import type { Headquarters } from "./headquarters.ts";

/** How long a join code lives. */
export const joinCodeMs = 10 * 60_000;

type Digest = {
  /** SHA-256 as base64url. */
  hash(secret: string): Promise<string>;
  /** A key's thumbprint as people compare it. */
  fingerprint(thumbprint: string): string;
};

/** Makes a code for one factory, known to HQ by its hash alone. 128 bits, 10 minutes, one use. */
export async function makeJoinCode(deps: Headquarters, digest: Digest, factory: { id: string; name: string; role: Role }): Promise<string> {
  const secret = deps.ids.secret(16);
  const hash = await digest.hash(secret);
  const now = deps.clock.now();
  await deps.store.factories.addCode(
    { hash, factory: factory.id, name: factory.name, role: factory.role, expiresAt: now + joinCodeMs },
    now,
  );
  return secret;
}

/** Throws `conflict` (used), `gone` (expired or burned), `forbidden` (asks for another id, name or role), `unauthenticated`, or as the bus does. */
export async function enrolFactory(deps: Headquarters, digest: Digest, request: EnrolRequest): Promise<EnrolReply> {
  const { store, verifier, clock } = deps;
  const hash = await digest.hash(request.code);
  if (!(await verifier.proves(request.proof, hash, request.key))) {
    throw new UacError("unauthenticated", "The proof does not fit the key; make a new key and try again");
  }
  const code = await store.factories.redeem(hash, request.factory, clock.now());
  if (code === "unknown") throw new UacError("unauthenticated", "No such join code; ask headquarters for one: /enrol <id>");
  if (code === "used") throw new UacError("conflict", "This join code was used; ask headquarters for a new one: /enrol <id>");
  if (code === "expired" || code === "burned")
    throw new UacError(
      "gone",
      `This join code has ${code === "expired" ? "expired" : "been burned by wrong guesses"}; ask for a new one: /enrol <id>`,
    );
  if (code.factory !== request.factory || code.name !== request.name || code.role !== request.role) {
    throw new UacError(
      "forbidden",
      `The code is for ${code.factory} (${code.name}, ${code.role}); FACTORY_ID, FACTORY_NAME and FACTORY_ROLE must be the same`,
    );
  }

  const kid = await verifier.thumbprint(request.key);
  const { busHash, ...access } = await busAccess(deps, digest.hash, request.factory);
  await store.factories.enrol({ id: request.factory, name: request.name, role: request.role, kid, key: request.key, busHash }, clock.now());
  const fingerprint = digest.fingerprint(kid);
  await askOwner(deps, request, kid, fingerprint);
  return {
    factory: request.factory,
    hqKey: deps.signer.publicKey,
    hqKid: deps.signer.kid,
    ...access,
    fingerprint,
    status: "pending",
  };
}

async function askOwner(deps: Headquarters, request: EnrolRequest, kid: string, fingerprint: string) {
  const { profile, settings, store, clock } = deps;
  const content = rich(
    bold(`${request.name} asks to join`),
    `\nrole: ${request.role}, id: `,
    code(request.factory),
    "\nfingerprint: ",
    code(fingerprint),
    "\nApprove it only if that machine shows the same fingerprint.\n",
    italic(byline(profile.personas.primary, profile.name)),
  );
  const buttons = [
    [
      { label: "Approve", tap: `join:y:${request.factory}:${tagOf(kid)}` },
      { label: "Refuse", tap: `join:n:${request.factory}:${tagOf(kid)}` },
    ],
  ];
  await store.letters.add(
    settings.owners.map((chat) => ({
      key: letterKey(request.factory, tagOf(kid), chat),
      chat,
      body: { kind: "text" as const, content, buttons, silent: false, replyTo: null },
    })),
    clock.now(),
  );
}

/** Names a key in a button: with the longest factory id the 64 bytes of a tap are full. */
function tagOf(kid: string): string {
  return kid.slice(0, 16);
}

function letterKey(factory: string, tag: string, chat: number): string {
  return `join:${factory}:${tag}:${chat}`;
}

export interface JoinAnswer {
  factory: string;
  /** Of the key whose fingerprint the owner was shown. */
  tag: string;
  yes: boolean;
  chat: number;
  /** The owner's name. */
  name: string;
}

/** The owner's answer, for the key that was shown and no other. Resolves to what to tell them. */
export async function answerJoin(deps: Headquarters, answer: JoinAnswer): Promise<string> {
  const { store, bus, clock, settings } = deps;
  const factory = await store.factories.get(answer.factory);
  if (!factory) return `There is no factory ${answer.factory}.`;

  const shown = tagOf(factory.kid) === answer.tag;
  const open = shown && factory.status === "pending";
  if (open && answer.yes) await bus.open(factory.id);
  const status = answer.yes ? "active" : "retired";
  if (open && (await store.factories.setStatus(factory.id, status, clock.now(), factory.kid))) {
    const how = answer.yes ? "Approved" : "Refused";
    await (answer.yes ? letIn(deps, factory) : expel(deps, factory));
    await closeRequest(deps, settings.owners, answer, `${how} by ${answer.name}: ${factory.name} (${factory.id})`);
    return answer.yes ? `${factory.name} has joined.` : `${factory.name} was refused.`;
  }
  const text = shown
    ? `${factory.name} is ${factory.status} already.`
    : `${factory.name} asked again with another key: answer that request.`;
  await closeRequest(deps, [answer.chat], answer, text);
  return text;
}

/** Where the bus fails now, the factory's first heartbeats say that it is denied, and it is let in then. */
async function letIn(deps: Headquarters, factory: Factory) {
  await readmit(deps, { ...factory, status: "active" }).catch((error: unknown) => {
    deps.log.warn("a factory could not be let on the bus yet", { factory: factory.id, error });
  });
}

/** Takes the buttons away: nothing is left to decide. */
async function closeRequest({ store, clock, profile }: Headquarters, chats: readonly number[], { factory, tag }: JoinAnswer, text: string) {
  const content = rich(bold(text), "\n", italic(byline(profile.personas.primary, profile.name)));
  const letters = chats.map((chat) => {
    const of = letterKey(factory, tag, chat);
    return { key: `${of}:answer`, chat, body: { kind: "edit" as const, of, content, buttons: [] } };
  });
  await store.letters.add(letters, clock.now());
}
