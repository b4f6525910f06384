/** Buttons under a message. Telegram refuses some addresses (localhost among them): those can be told as text instead. */
import type { Button } from "#ports/chat.ts";

type InlineButton = { text: string; callback_data: string } | { text: string; url: string };

/** Longest all links together may get as text, characters. */
const maxLinkText = 1000;

/** Rows of inline buttons; without the link buttons unless `links`. A button with neither tap nor address is none. */
export function buttonRows(buttons: readonly (readonly Button[])[], links: boolean): InlineButton[][] {
  return buttons
    .map((row) =>
      row.flatMap(({ label, tap, url }): InlineButton[] => {
        if (tap !== undefined) return [{ text: label, callback_data: tap }];
        return url !== undefined && links ? [{ text: label, url }] : [];
      }),
    )
    .filter((row) => row.length > 0);
}

/** The link buttons as lines that follow a text; "" if there are none. */
export function linkLines(buttons: readonly (readonly Button[])[]): string {
  const lines = buttons.flat().flatMap(({ label, url }) => (url === undefined ? [] : [`${label}: ${url}`]));
  return lines.length === 0 ? "" : `\n\n${lines.join("\n")}`.slice(0, maxLinkText);
}
