/** A provider without a model: one stream of the Anthropic wire, all at once, to whatever it is asked; and a bare proxy before it. */
import { Agent, request as ask, createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Listening {
  url: string;
  close(): Promise<void>;
}

/** As of an answer of some length: 40 pieces of 100 bytes. */
const pieces = 40;
const event = (data: { type: string; [key: string]: unknown }) => `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;
const reply = [
  event({ type: "message_start", message: { id: "msg_1", model: "scripted-1", usage: { input_tokens: 5000, output_tokens: 1 } } }),
  event({ type: "content_block_start", index: 0, content_block: { type: "text", text: "" } }),
  ...Array.from({ length: pieces }, () =>
    event({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "x".repeat(100) } }),
  ),
  event({ type: "content_block_stop", index: 0 }),
  event({ type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 1000 } }),
  event({ type: "message_stop" }),
];

export function startProvider(): Promise<Listening> {
  return listen(
    createServer((incoming, response) => {
      incoming.resume().once("end", () => {
        response.writeHead(200, { "content-type": "text/event-stream", "request-id": "req_1" });
        for (const part of reply) response.write(part);
        response.end();
      });
    }),
  );
}

/** The least that a proxy does: headers and bytes through, both ways, over kept connections. */
export function startBareProxy(target: string): Promise<Listening> {
  const agent = new Agent({ keepAlive: true });
  const { hostname, port } = new URL(target);
  const pass = (incoming: IncomingMessage, response: ServerResponse) => {
    const { method, url: path, headers } = incoming;
    const onward = ask({ agent, hostname, port, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.once("error", () => response.destroy());
    incoming.pipe(onward);
  };
  return listen(createServer(pass), () => agent.destroy());
}

async function listen(server: Server, also: () => void = () => {}): Promise<Listening> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        also();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
