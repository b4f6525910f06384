/** The town's libSQL server, in a process of its own so that it can be killed like one. */
import { startHrana } from "../hrana.ts";

const { DATABASE_FILE = "", DATABASE_TOKEN = "", PORT = "" } = process.env;
const hrana = await startHrana({ file: DATABASE_FILE, token: DATABASE_TOKEN, port: Number(PORT) });
process.once("SIGTERM", () => void hrana.close().then(() => process.exit(0)));
