/** `enrol`: makes this machine's key, trades a one-time code for membership, and shows what the owner compares. */
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { UacError } from "#core/errors.ts";
import { type Env, parseProfile } from "#factory/profile.ts";
import { openIdentity } from "../compose.ts";
import { providers } from "../compose-bench.ts";
import { httpHq } from "../hq-client.ts";
import { homeOf, writeEnrolment } from "../state.ts";

export async function enrol(env: Env, given: string | undefined, codeFile: string | undefined): Promise<number> {
  const code = await readCode(given, codeFile);
  const profile = parseProfile(env, { providers, keyless: true });
  if (!profile.hqUrl) throw new UacError("bad_config", "HQ_URL is not set; it is the address of headquarters");
  if (!profile.id) throw new UacError("bad_config", "FACTORY_ID is not set; it is the id that the join code was made for");
  const home = homeOf(env);
  const { publicKey, signer, hashSecret, fingerprint } = await openIdentity(home);
  const proof = await signer.prove(await hashSecret(code));
  const name = env.FACTORY_NAME?.trim() || profile.id;
  const reply = await httpHq({ url: profile.hqUrl }).enrol({
    code,
    factory: profile.id,
    name,
    role: profile.role,
    key: publicKey,
    proof,
  });
  await writeEnrolment(home, {
    factory: reply.factory,
    name,
    role: profile.role,
    hqUrl: profile.hqUrl,
    hqKey: reply.hqKey,
    hqKid: reply.hqKid,
    busUrl: reply.busUrl,
    busToken: reply.busToken,
  });
  process.stderr.write(
    [
      `${reply.factory} has asked headquarters to join.`,
      "",
      `  this machine's fingerprint:  ${fingerprint(signer.kid)}`,
      `  headquarters' fingerprint:   ${fingerprint(reply.hqKid)}`,
      "",
      "Compare the first with the one in the chat and approve it there. Then: npx tsx branch-agent",
      "",
    ].join("\n"),
  );
  return 0;
}

async function readCode(given: string | undefined, codeFile: string | undefined): Promise<string> {
  const found = given ?? (codeFile ? await readFile(codeFile, "utf8") : process.stdin.isTTY ? "" : await text(process.stdin));
  const code = found.trim();
  if (code === "") throw new UacError("bad_input", "No join code: npx tsx branch-agent enrol <code>; Simone makes one for /enrol <id>");
  return code;
}
