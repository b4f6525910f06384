/** Knows every secret value from boot; nothing leaves (log, chat, event, error) without passing it. */
export interface Redactor {
  /** Secrets to hide from now on: name → value. Empty values are ignored. */
  learn(secrets: Readonly<Record<string, string | undefined>>): void;
  /** `text` with every known value, in any of its usual encodings, replaced by `[NAME]`. */
  clean(text: string): string;
}
