/** What a factory is to the corporation. */
export const roles = ["headquarters", "branch"] as const;
export type Role = (typeof roles)[number];
