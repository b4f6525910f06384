/** The Bot API on the wire: `/bot<token>/<method>` and `/file/bot<token>/<path>`, with faults on demand. */
import { timingSafeEqual } from "node:crypto";
import type { HttpBindings } from "@hono/node-server";
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import * as z from "zod";
import { ApiError, tooMany } from "./api-error.ts";
import type { ChatState } from "./chat-state.ts";
import { maxUpload } from "./limits.ts";
import type { Method } from "./methods.ts";
import { readParams } from "./params.ts";

/**
 * What should go wrong with the next calls. `cut_before`: the connection breaks and nothing was done; `cut_after`: it was
 * done, the answer is lost; `hang`: no answer ever; `html`: a proxy's error page; `error`: an API error with `status`
 * (429 with `retryAfter` seconds).
 */
export const faultSchema = z.strictObject({
  kind: z.enum(["cut_before", "cut_after", "hang", "html", "error"]),
  /** Only calls of this method; absent: any. */
  method: z.string().optional(),
  status: z.int().min(400).max(599).default(500),
  retryAfter: z.int().positive().default(1),
  /** Of an `error`; absent: Telegram's usual text for the status. */
  description: z.string().optional(),
  times: z.int().positive().default(1),
});
export type Fault = z.input<typeof faultSchema>;

interface Call {
  method: string;
  /** HTTP status of the answer; 0 where the connection was cut or nothing was answered. */
  status: number;
  at: number;
}

const callsKept = 1000;

export type BotApi = ReturnType<typeof botApi>;

export function botApi(token: string, methods: ReadonlyMap<string, Method>, state: ChatState) {
  const app = new Hono<{ Bindings: HttpBindings }>();
  const calls: Call[] = [];
  let faults: z.infer<typeof faultSchema>[] = [];

  const note = (method: string, status: number) => {
    calls.push({ method, status, at: Date.now() });
    if (calls.length > callsKept) calls.shift();
  };
  const takeFault = (method: string) => {
    const fault = faults.find((f) => f.method === undefined || f.method.toLowerCase() === method.toLowerCase());
    if (fault) fault.times -= 1;
    faults = faults.filter(({ times }) => times > 0);
    return fault ?? null;
  };

  const tooLarge = () => refusal(new ApiError(413, "Request Entity Too Large"));
  app.all("/:bot{bot[^/]+}/:method", bodyLimit({ maxSize: maxUpload + 1024 * 1024, onError: tooLarge }), async (c) => {
    const name = c.req.param("method");
    if (!sameText(c.req.param("bot"), `bot${token}`)) return refusal(new ApiError(401, "Unauthorized"));
    const fault = takeFault(name);
    const cut = () => {
      note(name, 0);
      c.env.incoming.socket.destroy();
      return new Response(null, { status: 500 });
    };
    if (fault?.kind === "cut_before") return cut();
    if (fault?.kind === "hang") {
      note(name, 0);
      return new Promise<Response>(() => {});
    }
    if (fault?.kind === "html") {
      note(name, fault.status);
      return new Response("<html><h1>Bad Gateway</h1></html>", { status: fault.status, headers: { "content-type": "text/html" } });
    }
    const response = fault?.kind === "error" ? refusal(asError(fault)) : await answer(name, c.req.raw, methods);
    if (fault?.kind === "cut_after") return cut();
    note(name, response.status);
    return response;
  });

  app.get("/file/:bot{bot[^/]+}/:path{.+}", (c) => {
    const file = sameText(c.req.param("bot"), `bot${token}`) ? state.fileAt(c.req.param("path")) : null;
    return file
      ? new Response(Buffer.from(file.data), { headers: { "content-type": "application/octet-stream" } })
      : refusal(new ApiError(404, "Not Found"));
  });

  return {
    app,
    /** Adds a fault for the next calls. */
    fail(fault: Fault) {
      faults.push(faultSchema.parse(fault));
    },
    /** The latest calls, oldest first. */
    calls: (): readonly Call[] => calls,
  };
}

async function answer(name: string, request: Request, methods: ReadonlyMap<string, Method>): Promise<Response> {
  try {
    const method = methods.get(name.toLowerCase());
    if (method === undefined) throw new ApiError(404, "Not Found: method not found");
    return Response.json({ ok: true, result: await method(await readParams(request)) });
  } catch (error) {
    if (error instanceof ApiError) return refusal(error);
    console.error("telegram stand-in:", error);
    return refusal(new ApiError(500, "Internal Server Error"));
  }
}

function refusal({ status, message, retryAfter }: ApiError): Response {
  const body = { ok: false, error_code: status, description: message, ...(retryAfter && { parameters: { retry_after: retryAfter } }) };
  return Response.json(body, { status, headers: retryAfter ? { "retry-after": String(retryAfter) } : {} });
}

function asError({ status, retryAfter, description }: z.infer<typeof faultSchema>): ApiError {
  if (status === 429) return tooMany(retryAfter);
  return new ApiError(status, description ?? (status >= 500 ? "Internal Server Error" : "Bad Request: refused on demand"));
}

function sameText(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
