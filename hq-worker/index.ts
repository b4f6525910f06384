/** HQ as a Cloudflare Worker: requests, the minute tick, and the desks. */
import { openHeadquarters } from "./compose.ts";
import { worker } from "./worker.ts";

export { Desk } from "./desk.ts";

export default worker(openHeadquarters);
