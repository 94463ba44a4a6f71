/** What an upload may be for (XEP-0363 1.2.0). An upload without a purpose is for a message. */
export const purposes = ['message', 'profile', 'ephemeral', 'permanent'] as const;

/** One of these purposes. */
export type Purpose = (typeof purposes)[number];

/** Whether a value is a purpose. */
export function isPurpose(value: unknown): value is Purpose {
  return purposes.some((purpose) => purpose === value);
}
