import type { Child } from "hono/jsx";
import { assets } from "./assets.ts";
import { panels } from "./panels/index.ts";

export interface View {
  title: string;
  /** Path and query of this page, for polling. */
  address: string;
  now: number;
  tag: string;
}

/** What polling asks for: the content, and the title, because it counts the problems. */
export function Fragment({ view, children }: { view: View; children: Child }) {
  return (
    <>
      <title>{titleOf(view.title)}</title>
      <Main view={view}>{children}</Main>
    </>
  );
}

function Main({ view, children }: { view: View; children: Child }) {
  return (
    <main
      id="view"
      tabindex={-1}
      data-tag={view.tag}
      data-now={view.now}
      hx-get={view.address}
      hx-trigger="every 5s, wake"
      hx-swap="outerMorph"
    >
      {children}
    </main>
  );
}

function titleOf(title: string): string {
  return `${title} · UAC`;
}

/** A page that polls: for who is signed in. `hqUrl` where this is a read-only copy beside headquarters. */
export function Page({ view, hqUrl, children }: { view: View; hqUrl: string | null; children: Child }) {
  const path = view.address.replace(/\?.*/, "");
  return (
    <html lang="en">
      <Head title={view.title} live />
      <body>
        <a class="skip" href="#view">
          Skip to the content
        </a>
        <header class="top">
          <Wordmark />
          <nav class="tabs" aria-label="Pages">
            {panels
              .filter((panel) => panel.nav !== null)
              .map((panel) => (
                <a href={panel.path} aria-current={panel.path === path ? "page" : undefined}>
                  {panel.nav}
                </a>
              ))}
          </nav>
          <p id="asof" class="asof">
            as of {new Date(view.now).toISOString().slice(11, 19)} UTC
          </p>
          <form method="post" action="/logout">
            <button type="submit">Sign out</button>
          </form>
        </header>
        <Main view={view}>{children}</Main>
        <footer>
          <p>
            {hqUrl === null ? (
              "Orders and cancels go through the chat; what you are asked can be answered here too."
            ) : (
              <ReadOnly hqUrl={hqUrl} />
            )}{" "}
            Clock times and “today” are UTC.
          </p>
        </footer>
      </body>
    </html>
  );
}

/** A page that says one thing: signing in, refusals, errors. */
export function Notice({ title, children }: { title: string; children: Child }) {
  return (
    <html lang="en">
      <Head title={title} />
      <body>
        <header class="top">
          <Wordmark />
        </header>
        <main id="view" class="notice-page">
          <h1>{title}</h1>
          {children}
        </main>
      </body>
    </html>
  );
}

function ReadOnly({ hqUrl }: { hqUrl: string }) {
  return (
    <>
      This is a read-only copy; <a href={hqUrl}>headquarters</a> acts.
    </>
  );
}

function Head({ title, live = false }: { title: string; live?: boolean }) {
  return (
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta name="color-scheme" content="light dark" />
      <meta name="robots" content="noindex" />
      <title>{titleOf(title)}</title>
      <link rel="icon" type="image/svg+xml" href={assets.icon} />
      <link rel="stylesheet" href={assets.css} />
      {live && (
        <>
          <meta name="htmx-config" content="history:false includeIndicatorCSS:false" />
          <script src={assets.htmx} defer />
          <script src={assets.view} defer />
        </>
      )}
    </head>
  );
}

function Wordmark() {
  return (
    <a class="wordmark" href="/">
      <svg viewBox="0 0 16 16" aria-hidden="true">
        <path d="M1 15V6.5l4.5 3V6.5l4.5 3V2h5v13z" />
      </svg>
      <span>Universal Agent Corporation</span>
    </a>
  );
}
