/** One question: where an answer leads to, and what a copy of these pages points at. */
import { AskView } from "../asks.tsx";
import type { Panel } from "../panel.ts";
import { loadAsk } from "./asks.query.ts";

export const askPanel: Panel = {
  path: "/asks/:id",
  nav: null,
  async show({ db, now, params, hqUrl }) {
    const ask = await loadAsk(db, params.id ?? "");
    if (!ask) return null;
    const title = ask.answer ? `Answered: ${ask.id}` : `Asked: ${ask.id}`;
    return {
      title,
      body: (
        <>
          <h1>{title}</h1>
          <div class="asks">
            <AskView ask={ask} now={now} hqUrl={hqUrl} />
          </div>
          <p class="after">
            <a href="/">The corporation</a>
          </p>
        </>
      ),
    };
  },
};
