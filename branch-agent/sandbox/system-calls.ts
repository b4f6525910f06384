/**
 * What no namespace keeps apart, a filter of system calls refuses (seccomp; the program is classic BPF, see linux/seccomp.h and
 * linux/filter.h): the kernel's key rings, where the owner's session may keep logins and where one task would find what another of the
 * same user left; and sockets of other families than local, IP and netlink, since AF_VSOCK leads to the machine that runs this one. Whoever
 * may use io_uring makes sockets past any filter.
 */
import { unavailable } from "./unavailable.ts";

/** The descriptor at which bwrap finds the program, and the name of its file where the commands' slots lie. */
export const filterDescriptor = 7;
export const filterFile = "system-calls";

interface Calls {
  /** The kernel's name for the architecture: AUDIT_ARCH_… in linux/audit.h. */
  audit: number;
  /** The first of add_key, request_key and keyctl. */
  keys: number;
  socket: number;
  /** Makes sockets too, of a family that a filter can't read. */
  socketcall?: number;
}

/** As the kernel's own tables have them: arch/x86/entry/syscalls, arch/arm/tools, include/uapi/asm-generic/unistd.h. */
const x64: Calls = { audit: 0xc000003e, keys: 248, socket: 41 };
const ia32: Calls = { audit: 0x40000003, keys: 286, socket: 359, socketcall: 102 };
const arm64: Calls = { audit: 0xc00000b7, keys: 217, socket: 198 };
const arm: Calls = { audit: 0x40000028, keys: 309, socket: 281, socketcall: 102 };
const riscv64: Calls = { ...arm64, audit: 0xc00000f3 };

/** What runs on a machine: its own programs, and older ones. */
const runs: Partial<Record<NodeJS.Architecture, Calls[]>> = {
  x64: [x64, ia32],
  ia32: [ia32],
  arm64: [arm64, arm],
  arm: [arm],
  riscv64: [riscv64],
};
/** The same everywhere. */
const ioUringSetup = 425;
/** AF_UNIX, AF_INET, AF_INET6, AF_NETLINK. */
const families = [1, 2, 10, 16];
const makeSocket = 1; // of socketcall

/** Offsets in what the kernel shows of a call; a number is the lower half of its argument, on machines that begin with that. */
const at = { number: 0, architecture: 4, argument: 16 };
const enosys = 38;
const eafnosupport = 97;

/** An instruction: what to do, with what, and how many to leave out where a comparison holds and where it does not. */
type Instruction = readonly [code: number, value: number, ifSo?: number, else_?: number];
const load = (offset: number): Instruction => [0x20, offset];
const and = (mask: number): Instruction => [0x54, mask];
const allow: Instruction = [0x06, 0x7fff0000];
const refuse = (errno: number): Instruction => [0x06, 0x00050000 + errno];
/** `then` is done where what was loaded is `value`, and left out otherwise. */
const where = (value: number, then: readonly Instruction[]): Instruction[] => [[0x15, value, 0, then.length], ...then];

/** @returns the program for a machine, as bwrap reads it; throws `sandbox_unavailable` for one whose calls are not known here */
export function systemCallFilter(architecture: NodeJS.Architecture = process.arch): Buffer {
  const known = runs[architecture];
  if (!known) throw unavailable(`which system calls to refuse is not known for ${architecture}`, "Run the factory on another machine");
  // A program of any other architecture can do nothing.
  const program = [load(at.architecture), ...known.flatMap((calls) => where(calls.audit, rulesOf(calls))), refuse(enosys)];
  const bytes = Buffer.alloc(program.length * 8);
  for (const [i, [code, value, ifSo = 0, otherwise = 0]] of program.entries()) {
    bytes.writeUInt16LE(code, i * 8);
    bytes.writeUInt8(ifSo, i * 8 + 2);
    bytes.writeUInt8(otherwise, i * 8 + 3);
    bytes.writeUInt32LE(value, i * 8 + 4);
  }
  return bytes;
}

function rulesOf({ audit, keys, socket, socketcall }: Calls): Instruction[] {
  const none = refuse(enosys);
  return [
    load(at.number),
    // On x64 the same calls have a second number, with a bit more (x32).
    ...(audit === x64.audit ? [and(0x3fffffff)] : []),
    ...[keys, keys + 1, keys + 2, ioUringSetup].flatMap((number) => where(number, [none])),
    ...where(socket, [load(at.argument), ...families.flatMap((family) => where(family, [allow])), refuse(eafnosupport)]),
    ...(socketcall === undefined ? [] : where(socketcall, [load(at.argument), ...where(makeSocket, [none]), allow])),
    allow,
  ];
}
