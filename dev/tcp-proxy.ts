/** A TCP proxy on loopback whose links can be cut, or made to go silent: how a test breaks a network without touching either end. */
import { once } from "node:events";
import { createServer, connect as dial, type Socket } from "node:net";

export interface TcpProxy {
  /** On 127.0.0.1; stays the same through every fault. */
  port: number;
  /** Pairs of connections that are open now. */
  readonly links: number;
  /** Resets every open connection, at both ends. New ones go through, unless the proxy is silent or refuses. */
  cut(): void;
  /** Both ends stay connected and hear nothing more from each other; new connections are accepted and hear nothing either. */
  silence(): void;
  /** What the server says gets lost, what clients say arrives: a reply that never comes. For the connections that are open, and new ones. */
  mute(): void;
  /** New connections are reset at once. Open ones go on. */
  refuse(): void;
  /**
   * New connections work again. Those that lived through a silence stay dead, as after a change of network: what was lost in between
   * is lost, and to deliver the rest would break the stream. Only `cut` tells their ends.
   */
  resume(): void;
  /** Ends everything and frees the port. Repeatable. */
  close(): Promise<void>;
}

type Mode = "open" | "mute" | "silent" | "refuse";

interface Link {
  client: Socket;
  server: Socket;
  mode: Mode;
}

/** Forwards 127.0.0.1:`port` (a free one unless given) to 127.0.0.1:`to`. */
export async function startTcpProxy({ to, port = 0 }: { to: number; port?: number }): Promise<TcpProxy> {
  const links = new Set<Link>();
  let mode: Mode = "open";

  const listener = createServer((client) => {
    client.on("error", () => {});
    if (mode === "refuse") return void client.resetAndDestroy();
    const server = dial(to, "127.0.0.1");
    const link: Link = { client, server, mode };
    links.add(link);
    for (const socket of [client, server]) socket.setNoDelay(true);
    forward(client, server, () => link.mode !== "silent");
    forward(server, client, () => link.mode === "open");
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      socket.on("error", () => {});
      socket.on("close", () => {
        // On a silent link nobody hears that the other end went.
        if (link.mode !== "silent") other.destroy();
        if (client.destroyed && server.destroyed) links.delete(link);
      });
    }
  }).listen(port, "127.0.0.1");
  await once(listener, "listening");
  const address = listener.address();
  if (address === null || typeof address === "string") throw new Error("no port");

  function become(next: Mode) {
    mode = next;
    if (next === "silent" || next === "mute") for (const link of links) link.mode = next;
  }

  function cut() {
    for (const { client, server } of links) for (const socket of [client, server]) socket.resetAndDestroy();
    links.clear();
  }

  return {
    port: address.port,
    get links() {
      return links.size;
    },
    cut,
    silence: () => become("silent"),
    mute: () => become("mute"),
    refuse: () => become("refuse"),
    resume: () => become("open"),
    async close() {
      if (!listener.listening) return;
      const closed = once(listener, "close");
      listener.close();
      cut();
      await closed;
    },
  };
}

/** What is not let through is read all the same, so that the sender's buffers never tell it that something is wrong. */
function forward(from: Socket, to: Socket, open: () => boolean) {
  from.on("data", (data) => {
    if (!open() || to.destroyed) return;
    if (!to.write(data)) {
      from.pause();
      to.once("drain", () => from.resume());
    }
  });
}
