/** Telegram's limits, its closed lists, and the token buckets behind its 429. */

export const maxText = 4096;
export const maxCaption = 1024;
export const maxCallbackData = 64;
export const maxAnswerText = 200;
/** Largest file a bot may send, and largest it may fetch again. Bytes. */
export const maxUpload = 50 * 1024 * 1024;
export const maxDownload = 20 * 1024 * 1024;
/** Telegram keeps an update that nobody took this long. */
export const updateLifeMs = 24 * 3600 * 1000;

export interface Rate {
  /** Calls that go through at once. */
  burst: number;
  perSecond: number;
}

export interface Limits {
  sends: Rate;
  edits: Rate;
}

/** One message a second and an edit every three, after a burst: the documented pace, and about what Telegram grants in practice. */
export const telegramLimits: Limits = { sends: { burst: 20, perSecond: 1 }, edits: { burst: 20, perSecond: 1 / 3 } };

/** A bucket that fills at `rate`. `take` resolves to 0 if granted, else to the whole seconds to wait. */
export function tokenBucket(rate: Rate, now: () => number = Date.now) {
  let tokens = rate.burst;
  let at = now();
  return {
    take(): number {
      tokens = Math.min(rate.burst, tokens + ((now() - at) / 1000) * rate.perSecond);
      at = now();
      if (tokens >= 1) {
        tokens -= 1;
        return 0;
      }
      return Math.max(1, Math.ceil((1 - tokens) / rate.perSecond));
    },
  };
}

/** What a bot can be seen doing. */
export const chatActions: readonly string[] = [
  "typing",
  "upload_photo",
  "record_video",
  "upload_video",
  "record_voice",
  "upload_voice",
  "upload_document",
  "choose_sticker",
  "find_location",
  "record_video_note",
  "upload_video_note",
];

/** The emoji that Telegram lets a bot react with; ✅ is not among them. */
export const reactions: readonly string[] = [
  ..."👍👎❤🔥🥰👏😁🤔🤯😱🤬😢🎉🤩🤮💩🙏👌🕊🤡🥱🥴😍🐳🌚🌭💯🤣⚡🍌🏆💔🤨😐🍓🍾💋🖕😈😴😭🤓👻👀🎃🙈😇😨🤝✍🤗🫡🎅🎄☃💅🤪🗿🆒💘🙉🦄😘💊🙊😎👾🤷😡",
  "❤‍🔥",
  "👨‍💻",
  "🤷‍♂",
  "🤷‍♀",
];
