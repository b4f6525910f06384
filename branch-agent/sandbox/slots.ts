/**
 * What a command is started from, and where its output goes. The output is a true pipe, since Node's own are sockets, on which opening
 * /dev/stdout fails. Node makes no pipe, but it opens a named one. A slot is a directory of this process's with two of them and two files,
 * for one command at a time.
 */
import { execFile } from "node:child_process";
import { chmodSync, closeSync, constants, mkdirSync, openSync, writeFileSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { UacError } from "#core/errors.ts";
import { ownDirectory } from "./own-directory.ts";
import { filterFile, systemCallFilter } from "./system-calls.ts";

const anybodyWrites = 0o622;

export interface Slot {
  name: string;
  /** Each ends when nobody holds its other end any more. */
  output: Socket;
  /** What bwrap tells of itself. */
  status: Socket;
  /**
   * @param options bwrap's, which it reads from a file: its own arguments all can see, inside and outside
   * @param words the program that is started, with its arguments
   */
  fill(options: readonly string[], words: readonly string[]): void;
  /** The command has the other ends: ours are closed. */
  handedOver(): void;
  /** All of the command is over, or it never began: the next may have the slot. */
  free(): void;
}

export interface Slots {
  directory: string;
  /** One that nobody uses, or a new one; rejects where `mkfifo` is missing. */
  take(): Promise<Slot>;
}

export function openSlots(): Slots {
  const directory = ownDirectory("commands");
  writeFileSync(join(directory, filterFile), systemCallFilter());
  const free: string[] = [];
  let made = 0;

  async function make(): Promise<string> {
    const name = String(++made);
    const at = join(directory, name);
    mkdirSync(at);
    const output = join(at, "output");
    await promisify(execFile)("mkfifo", [output, join(at, "status")]);
    // The directory is ours alone. The command's user, who may be another, opens it by its descriptor.
    chmodSync(output, anybodyWrites);
    return name;
  }

  return {
    directory,
    async take() {
      const name = free.pop() ?? (await make());
      const at = (file: string) => join(directory, name, file);
      const output = openPipe(at("output"));
      const status = openPipe(at("status"));
      const handedOver = () => {
        output.letGo();
        status.letGo();
      };
      return {
        ...{ name, output: output.reading, status: status.reading, handedOver },
        fill(options, words) {
          // It ends a word in these files: what follows would be left out of the command without a word.
          if ([...options, ...words].some((word) => word.includes("\0"))) {
            throw new UacError("bad_input", "The command holds a zero byte, which no program can be given. Write it as an escape.");
          }
          for (const [file, list] of Object.entries({ options, words })) writeFileSync(at(file), list.map((word) => `${word}\0`).join(""));
        },
        free() {
          handedOver();
          for (const { reading } of [output, status]) reading.destroy();
          free.push(name);
        },
      };
    },
  };
}

/** Its end would be reached at once if nobody had it open for writing: we do, until another has. */
function openPipe(path: string) {
  // Reading first: a writer without a reader would wait, a reader without a writer must not.
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writing = openSync(path, constants.O_WRONLY);
  let open = true;
  return {
    reading: new Socket({ fd: descriptor, readable: true, writable: false }),
    letGo() {
      if (open) closeSync(writing);
      open = false;
    },
  };
}
