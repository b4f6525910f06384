/** The dashboard as a browser without JavaScript uses it: the link from the chat, its button, pages with the cookie. */
import type { House } from "./house.ts";
import { until } from "./until.ts";

export interface View {
  /** The text of a page, white space squeezed. Rejects if it is not answered with 200. */
  text(path: string): Promise<string>;
  status(path: string): Promise<number>;
}

/** Asks for the link by `/view` in the chat. */
export async function viewLink({ chat }: House): Promise<string> {
  const known = new Set(linksIn(chat.messages()));
  chat.say("/view");
  return until("the link to the dashboard", () => linksIn(chat.messages()).find((link) => !known.has(link)));
}

export async function logIn(house: House): Promise<View> {
  const link = new URL(await viewLink(house));
  const shown = await fetch(link);
  if (!(await shown.text()).includes("<form")) throw new Error(`The login page has no form (${shown.status})`);
  const entered = await fetch(new URL("/login", link), {
    method: "POST",
    headers: { origin: link.origin },
    body: new URLSearchParams({ t: link.searchParams.get("t") ?? "" }),
    redirect: "manual",
  });
  const cookie = entered.headers.getSetCookie()[0]?.split(";")[0];
  if (entered.status !== 303 || !cookie) throw new Error(`The link did not log in (${entered.status})`);
  const get = (path: string) => fetch(new URL(path, link), { headers: { cookie }, redirect: "manual" });
  return {
    async text(path) {
      const response = await get(path);
      if (response.status !== 200) throw new Error(`${path} answered ${response.status}`);
      return readable(await response.text());
    },
    status: async (path) => (await get(path)).status,
  };
}

function linksIn(messages: ReturnType<House["chat"]["messages"]>): string[] {
  return messages.flatMap((message) => message.buttons.flat().flatMap(({ url }) => (url?.includes("/login?") ? [url] : [])));
}

const entities: Readonly<Record<string, string>> = { lt: "<", gt: ">", quot: '"', "#39": "'", amp: "&" };

function readable(html: string): string {
  return html
    .replace(/<[^>]*>/g, " ")
    .replace(/&(lt|gt|quot|#39|amp);/g, (_, name: string) => entities[name] ?? "")
    .replace(/\s+/g, " ");
}
