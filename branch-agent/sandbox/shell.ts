/** Words of shell that commands are started with, whatever confines them. */
import type { Limits } from "./limits.ts";

/** What a command inherits: open files (-n), size of a file (-f, in blocks of 1024 bytes), core dumps (-c); one that is lower already cannot be set, and stays. */
export const setLimits = ({ openFiles, fileSize }: Limits) =>
  `for limit in "-c 0" "-n ${openFiles}" "-f ${Math.floor(fileSize / 1024)}"; do ulimit $limit 2> /dev/null; done`;

/** Root is exempt, until it has become another. Of anybody else all processes on the machine count, but in a user namespace only its own do. */
export const boundProcesses = ({ processes }: Limits) => `ulimit -u ${processes} 2> /dev/null`;

export const quoted = (path: string) => `'${path.replaceAll("'", "'\\''")}'`;

/** A shell's exit code for a command that SIGXFSZ ended. */
export const tooLargeFile = 128 + 25;
