/**
 * Where a command's output goes: a true pipe, since Node's own are sockets, on which opening /dev/stdout fails. Node makes no pipe, but it
 * opens a named one; a few lie in a directory of this process, each for one command at a time.
 */
import { execFile } from "node:child_process";
import { chmodSync, closeSync, constants, openSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { ownDirectory } from "./own-directory.ts";

const anybodyWrites = 0o622;

export interface OutputPipe {
  /** The end that the command gets. */
  input: number;
  /** Ends when nobody holds the other end any more. */
  output: Socket;
  /** The command has it: ours is closed. */
  handedOver(): void;
  /** All of the command is over, or it never began: the next may have the pipe. */
  free(): void;
}

/** @returns takes a pipe that nobody uses, or makes one; rejects where `mkfifo` is missing */
export function openPipes(): () => Promise<OutputPipe> {
  const free: string[] = [];
  let directory: string | undefined;
  let made = 0;

  async function make(): Promise<string> {
    directory ??= ownDirectory("output");
    const path = join(directory, String(++made));
    await promisify(execFile)("mkfifo", [path]);
    // The directory is ours alone. The command's user, who may be another, opens it by its descriptor.
    chmodSync(path, anybodyWrites);
    return path;
  }

  return async () => {
    const path = free.pop() ?? (await make());
    // Reading first: a writer without a reader would wait, a reader without a writer must not.
    const reading = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const input = openSync(path, constants.O_WRONLY);
    const output = new Socket({ fd: reading, readable: true, writable: false });
    let open = true;
    const handedOver = () => {
      if (open) closeSync(input);
      open = false;
    };
    return {
      input,
      output,
      handedOver,
      free() {
        handedOver();
        output.destroy();
        free.push(path);
      },
    };
  };
}
